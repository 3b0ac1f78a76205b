//! Services of a cloud-config, services that `ros service` adds, and a Rancher agent.

mod agent;
mod cloud_config_services;
mod service_command;
