//! `ros service`: the services of the configuration, and the services of the catalogue that can be added to it.

mod arguments;
mod catalogue;
mod containers;
mod definition;
mod enable;
mod fetch;
mod included;
mod index;
mod list;

pub(crate) use crate::service::arguments::Args;
pub(crate) use crate::service::catalogue::{catalogue_names, fetch_from_repositories, update};
pub(crate) use crate::service::definition::ensure_persistent;
pub(crate) use crate::service::fetch::fetch;
pub(crate) use crate::service::included::fetch_definition;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::docker;
use crate::privilege;
use crate::service::arguments::Action;
use crate::service::containers::commands;

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if !matches!(args.action, Action::Validate { .. }) {
        privilege::require_root("ros service …")?;
    }
    let root = Path::new("/");
    let load = || os_config::load::load(root).config;
    match &args.action {
        Action::List {
            all,
            update,
            format,
        } => {
            let config = load();
            if *update {
                catalogue::update(root, &config)?;
            }
            list::list(root, &config, *all, *format)
        }
        Action::Enable { names, no_pull } => enable::enable(root, &load(), &names.names, !no_pull),
        Action::Disable(names) => enable::disable(root, &load(), &names.names),
        Action::Delete(names) => enable::delete(root, &load(), &names.names),
        Action::Validate { file } => definition::validate(file),
        Action::Containers(action) => docker::runtime()?.block_on(commands::run(load(), action)),
    }
}
