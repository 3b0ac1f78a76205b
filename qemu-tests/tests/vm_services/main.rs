//! Services: those of a cloud-config, those that `ros service` adds, and a Rancher agent.

mod agent;
mod configured;
mod verbs;
