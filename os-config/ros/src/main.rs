//! `ros`: the service engine of PaddockOS and the command of its users.

mod cli;
mod cloud_init;
mod compat;
mod config;
mod console;
mod disk;
mod docker;
mod extra_engines;
mod guest_tools;
mod inspect;
#[cfg(any(test, feature = "manual"))]
mod manual;
#[cfg(test)]
mod manual_page;
mod network;
mod os;
mod output;
mod power;
mod privilege;
mod service;
mod service_engine;
mod subprocess;
mod switch;
mod tls;
mod user_docker;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run(std::env::args_os().collect()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("ros: {error:#}");
            ExitCode::FAILURE
        }
    }
}
