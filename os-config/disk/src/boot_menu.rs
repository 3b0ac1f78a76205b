//! GRUB's script on the EFI system partition. It is the same on every machine and never changes: it finds the slots on the
//! disk that it was started from, counts their starts in the environment block, and goes on with the other slot when a
//! slot cannot be started.
//!
//! GRUB's language has no arithmetic and no way to build the name of a variable, so the script is made from templates,
//! once for each slot. Every command that can fail stands in an `if`, because GRUB waits for a key after an error else.

use crate::esp::{ENVIRONMENTS, KERNEL_LINE, ROT_KEY};
use crate::layout::Role;
use crate::slots::{GOOD_BOOTS, Slot, TRIAL_BOOTS};

/// The variables of the environment block. The names are given to `load_env`: nobody signs the block, and other variables
/// in it would be GRUB's own.
const VARIABLES: &str = "first sa la sb lb seq ok";
/// The files of a slot that GRUB reads, each with a signature beside it.
const FILES: [&str; 3] = ["vmlinuz", "initrd", "entry.cfg"];
const MENU_SECONDS: u32 = 3;

/// The text of the script.
pub fn grub_cfg() -> String {
    let esp = Role::Esp.number();
    let [first, second] = ENVIRONMENTS;
    [
        CONSOLES.to_owned(),
        format!(
            "regexp --set=1:disk '^\\(([^,)]+)' \"$prefix\"\n\
             esp_device=\"$disk,gpt{esp}\"\n\
             env1=\"($esp_device)/{first}\"\n\
             env2=\"($esp_device)/{second}\"\n\
             esp=\n\
             if probe --set=esp --part-uuid ($esp_device); then true; fi\n\
             kernel_line=\n\
             if load_env -f \"($esp_device)/{KERNEL_LINE}\" kernel_line; then true; fi\n\
             quiet=quiet\n\
             mode=\n"
        ),
        load(),
        next_sequence(),
        format!(
            "function store {{\n\
             \tstored=0\n\
             \tif save_env -f \"$env1\" {VARIABLES}; then if [ $source = 1 ]; then stored=1; fi; fi\n\
             \tif save_env -f \"$env2\" {VARIABLES}; then if [ $source = 2 ]; then stored=1; fi; fi\n\
             }}\n"
        ),
        count(),
        Slot::ALL.map(boot).concat(),
        Slot::ALL.map(turn).concat(),
        START.to_owned(),
        menu(),
    ]
    .concat()
}

/// The serial line under a BIOS, for output alone: a stray byte on it would end the countdown, and GRUB would wait for a
/// key for ever. UEFI firmware has its console there by itself.
const CONSOLES: &str = "\
if [ \"$grub_platform\" = pc ]; then
\tif serial --unit=0 --speed=115200; then
\t\tterminal_output console serial
\tfi
fi
";

/// Reads the environment. A block is usable if it is complete and can be written back: GRUB loads some damaged blocks
/// that it cannot save, and a trial would begin again and again. `source` is the copy that is used, 0 for none.
fn load() -> String {
    let defaults = format!(
        "function defaults {{ first=a; sa=good; la={GOOD_BOOTS}; sb=good; lb={GOOD_BOOTS}; seq=0; ok=0; }}\n"
    );
    let try_copy = |number: u32| {
        format!(
            "if [ $source = 0 ]; then\n\
             \tdefaults\n\
             \tif load_env -f \"$env{number}\" {VARIABLES}; then\n\
             \t\tif [ \"$ok\" = 1 ]; then\n\
             \t\t\tif save_env -f \"$env{number}\" ok; then source={number}; fi\n\
             \t\tfi\n\
             \tfi\n\
             fi\n"
        )
    };
    // A copy that can only be read tells which slot is good, on a disk that takes no writes.
    let read_only = format!(
        "if [ $source = 0 ]; then\n\
         \tdefaults\n\
         \tif load_env -f \"$env1\" {VARIABLES}; then true; fi\n\
         \tif [ \"$ok\" != 1 ]; then\n\
         \t\tdefaults\n\
         \t\tif load_env -f \"$env2\" {VARIABLES}; then true; fi\n\
         \t\tif [ \"$ok\" != 1 ]; then defaults; fi\n\
         \tfi\n\
         fi\n"
    );
    [
        defaults,
        "source=0\n".to_owned(),
        try_copy(1),
        try_copy(2),
        read_only,
        Slot::ALL.map(known_state).concat(),
    ]
    .concat()
}

/// A state that nobody knows is good: a slot without a state would be started by none of the rounds of `rest`.
fn known_state(slot: Slot) -> String {
    format!("if [ \"$s{slot}\" != try -a \"$s{slot}\" != bad ]; then s{slot}=good; fi\n")
}

/// The sequence number of the next write, by which PID 1 knows the disk that was written to.
fn next_sequence() -> String {
    let steps: Vec<String> = (0..10)
        .map(|number| {
            format!(
                "if [ \"$seq\" = {number} ]; then next={}; ",
                (number + 1) % 10
            )
        })
        .collect();
    format!(
        "function step_sequence {{\n\tnext=0\n\t{}{}\n\tseq=$next\n}}\n",
        steps.join("el"),
        "fi"
    )
}

/// Counts a start of a slot whose state is `$1` and that has `$2` starts left: `go` is whether it is started.
fn count() -> String {
    let steps: Vec<String> = (1..=GOOD_BOOTS)
        .rev()
        .map(|left| format!("if [ \"$2\" = {left} ]; then new_left={}; ", left - 1))
        .collect();
    format!(
        "function count {{\n\
         \tnew_state=\"$1\"\n\
         \tgo=1\n\
         \t{}else new_left=0; go=0; if [ \"$1\" = try ]; then new_state=bad; fi; fi\n\
         \tif [ \"$1\" = bad ]; then go=0; fi\n\
         }}\n",
        steps.join("el")
    )
}

/// Starts a slot if its files are whole, and comes back if it cannot be started. `run` starts it without a look at the
/// files.
fn boot(slot: Slot) -> String {
    let number = slot.role().number();
    let verified: Vec<String> = FILES
        .iter()
        .map(|file| {
            format!(
                "if verify_detached ($sd)/{file} ($sd)/{file}.sig ($esp_device)/{ROT_KEY}; then "
            )
        })
        .collect();
    // Run twice on purpose: under UEFI without Secure Boot, GRUB forgets the next `linux` after a kernel that came back.
    let source = "\tif source ($sd)/entry.cfg; then true; fi\n";
    let place = format!("\tslot={slot}\n\tsd=\"$disk,gpt{number}\"\n");
    format!(
        "function run_{slot} {{\n\
         {place}{source}{source}\
         }}\n\
         function boot_{slot} {{\n\
         {place}\
         \t{}run_{slot}; {}\n\
         \techo \"slot {slot} cannot be started\"\n\
         }}\n",
        verified.concat(),
        "fi; ".repeat(FILES.len()).trim_end().trim_end_matches(';')
    )
}

/// Counts a start of a slot and starts it. A trial that cannot be counted is not started. `choose` is a person's choice,
/// which a slot without starts takes too. `rest` starts the slot without a count if its state is `$1`.
fn turn(slot: Slot) -> String {
    let (state, left) = (format!("s{slot}"), format!("l{slot}"));
    format!(
        "function turn_{slot} {{\n\
         \twas=\"${state}\"\n\
         \tcount \"${state}\" \"${left}\"\n\
         \t{state}=\"$new_state\"\n\
         \t{left}=\"$new_left\"\n\
         \tstep_sequence\n\
         \tstore\n\
         \tif [ \"$was\" = try -a $stored = 0 ]; then go=0; fi\n\
         \tif [ $go = 1 ]; then\n\
         \t\tif [ $stored = 1 ]; then counted=$seq; else counted=; fi\n\
         \t\tstart_{slot}\n\
         \t\tif [ \"${state}\" = try ]; then {state}=bad; store; fi\n\
         \tfi\n\
         }}\n\
         function start_{slot} {{\n\
         \tkept=$seq\n\
         \tseq=$counted\n\
         \tboot_{slot}\n\
         \tseq=$kept\n\
         }}\n\
         function choose_{slot} {{\n\
         \tturn_{slot}\n\
         \tcounted=\n\
         \tstart_{slot}\n\
         }}\n\
         function rest_{slot} {{\n\
         \tif [ \"${state}\" = \"$1\" ]; then if [ \"$2\" = whole ]; then boot_{slot}; else run_{slot}; fi; fi\n\
         }}\n"
    )
}

/// The whole way: counted starts in their order, then any slot without a count, good ones first. At last the files are not
/// verified: the key may be damaged, and nothing else is left to try.
const START: &str = "\
function start_any {
\tseq=
\tfor files in whole any; do
\t\tfor state in good try bad; do
\t\t\tif [ \"$first\" = b ]; then
\t\t\t\trest_b $state $files
\t\t\t\trest_a $state $files
\t\t\telse
\t\t\t\trest_a $state $files
\t\t\t\trest_b $state $files
\t\t\tfi
\t\tdone
\tdone
\tgive_up
}
function give_up {
\techo \"no slot can be started; trying again in 10 s\"
\tsleep 10
\treboot
}
function start_first {
\tif [ \"$first\" = b ]; then turn_b; turn_a; else turn_a; turn_b; fi
\tstart_any
}
function start_other {
\tif [ \"$first\" = b ]; then choose_a; turn_b; else choose_b; turn_a; fi
\tstart_any
}
function recover {
\tseq=
\tmode=rancher.recovery=true
\tif [ \"$1\" = b ]; then
\t\tboot_b; boot_a; run_b; run_a
\telse
\t\tboot_a; boot_b; run_a; run_b
\tfi
\tgive_up
}
";

fn menu() -> String {
    let exported =
        "disk esp_device env1 env2 esp kernel_line quiet mode source first sa la sb lb seq ok";
    // A person who edits the entry sees how the machine's own words are replaced for one start.
    let entry = |title: &str, command: &str| {
        format!("menuentry '{title}' {{\n\t# kernel_line=\"other words\"\n\t{command}\n}}\n")
    };
    [
        format!("export {exported}\n"),
        // A text of the menu that knows nothing of colours and pictures works on every console.
        format!("set timeout={MENU_SECONDS}\nset default=0\n"),
        entry("PaddockOS", "start_first"),
        entry("PaddockOS, the other slot", "start_other"),
        entry(
            "PaddockOS, recovery (a shell before any service), slot A",
            "recover a",
        ),
        entry(
            "PaddockOS, recovery (a shell before any service), slot B",
            "recover b",
        ),
    ]
    .concat()
}

const _: () = assert!(TRIAL_BOOTS <= GOOD_BOOTS);

#[cfg(test)]
mod tests {
    use super::grub_cfg;

    #[test]
    fn both_slots_are_treated_alike() {
        let script = grub_cfg();
        for function in ["run", "boot", "turn", "start", "choose", "rest"] {
            let body = |slot: &str| {
                let begin = format!("function {function}_{slot} {{");
                let start = script.find(&begin).unwrap() + begin.len();
                let end = script[start..].find("\n}\n").unwrap();
                script[start..start + end].to_owned()
            };
            let (a, b) = (body("a"), body("b"));
            let renamed = a
                .replace("boot_a", "boot_b")
                .replace("start_a", "start_b")
                .replace("turn_a", "turn_b")
                .replace("run_a", "run_b")
                .replace("slot=a", "slot=b")
                .replace("slot a", "slot b")
                .replace("gpt3", "gpt4")
                .replace("sa", "sb")
                .replace("la=", "lb=")
                .replace("$la", "$lb");
            assert_eq!(renamed, b, "{function}");
        }
    }

    #[test]
    fn an_error_of_a_command_waits_for_no_key() {
        let script = grub_cfg();
        for command in [
            "load_env ",
            "save_env ",
            "source (",
            "verify_detached ",
            "probe ",
            "serial ",
        ] {
            for line in script.lines().filter(|line| line.contains(command)) {
                let at = line.find(command).unwrap();
                assert!(line[..at].ends_with("if "), "{line}");
            }
        }
        assert!(script.contains("set timeout=3\n"));
        // A number of starts, one less each time, and none below 0.
        assert!(script.contains(
            "if [ \"$2\" = 5 ]; then new_left=4; elif [ \"$2\" = 4 ]; then new_left=3; "
        ));
        assert!(script.contains("if [ \"$seq\" = 9 ]; then next=0; fi"));
    }
}
