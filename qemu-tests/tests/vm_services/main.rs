//! Services of a cloud-config, services that `ros service` adds, and a Rancher agent.

mod added;
mod agent;
mod configured;
