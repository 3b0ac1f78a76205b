//! The page of the manual with every command, in Markdown, from the description of the command line. Only the test that
//! keeps docs/cli.md current needs it.

use clap::{Command, CommandFactory};

use crate::cli::Cli;

const HEAD: &str = "# Commands of `ros`

<!-- Generated from the command line's description: UPDATE_GOLDEN=1 cargo test -p ros -->

`ros COMMAND --help` says the same. Exit code 0: done; 1: not done, and why, on standard error; 2: the command line
itself is wrong.
";

/// The manual's page, in Markdown.
fn reference_page(command: &Command) -> String {
    let mut page = HEAD.to_owned();
    for sub in visible_commands(command) {
        add_command(&mut page, &format!("ros {}", sub.get_name()), sub, 2);
    }
    page
}

fn visible_commands(command: &Command) -> impl Iterator<Item = &Command> {
    let subs = command.get_subcommands();
    subs.filter(|sub| !sub.is_hide_set() && sub.get_name() != "help")
}

fn add_command(page: &mut String, name: &str, command: &Command, level: usize) {
    page.push_str(&format!("\n{} {name}\n\n", "#".repeat(level)));
    if let Some(about) = command.get_about() {
        page.push_str(&format!("{about}.\n"));
    }
    let aliases: Vec<String> = command
        .get_visible_aliases()
        .map(|alias| format!("`{alias}`"))
        .collect();
    if !aliases.is_empty() {
        page.push_str(&format!("Also called {}.\n", aliases.join(", ")));
    }
    let arguments: Vec<String> = command
        .get_arguments()
        .filter(|argument| !argument.is_hide_set() && argument.get_id() != "help")
        .map(|argument| {
            let help = argument
                .get_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            format!(
                "| `{}` | {} |",
                invocation(argument),
                help.replace('|', "\\|")
            )
        })
        .collect();
    if !arguments.is_empty() {
        page.push_str(&format!("\n| | |\n|---|---|\n{}\n", arguments.join("\n")));
    }
    if let Some(example) = command.get_after_help() {
        page.push_str(&format!("\n```\n{example}\n```\n"));
    }
    for sub in visible_commands(command) {
        add_command(page, &format!("{name} {}", sub.get_name()), sub, level + 1);
    }
}

/// An argument as a user types it.
fn invocation(argument: &clap::Arg) -> String {
    let value = argument
        .get_action()
        .takes_values()
        .then(|| argument.get_id().as_str().to_uppercase());
    let flags: Vec<String> = [
        argument.get_short().map(|short| format!("-{short}")),
        argument.get_long().map(|long| format!("--{long}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    match (flags.is_empty(), value) {
        (true, value) => value.unwrap_or_default(),
        (false, None) => flags.join(", "),
        (false, Some(value)) => format!("{} {value}", flags.join(", ")),
    }
}

#[test]
fn the_page_of_the_manual_is_current() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
    let page = reference_page(&Cli::command());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(file, &page).unwrap();
    }
    let found = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        found == page,
        "docs/cli.md is not what the commands say; UPDATE_GOLDEN=1 writes it anew"
    );
}
