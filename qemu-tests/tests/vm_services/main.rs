//! Services: those of a cloud-config, those that `ros service` adds, and a Rancher agent.

mod added;
mod agent;
mod configured;
