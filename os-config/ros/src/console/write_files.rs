//! `write_files` of the cloud-config: content, encoding, owner, permissions. Every file is written as a whole or not at
//! all.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use host::paths::STAGED_FILES;
use host::problems::ProblemRecord;
use nix::unistd::geteuid;
use os_config::atomic_file::{self, AtomicFile};
use os_config::compose::service::{Scope, Service};
use os_config::{Config, WriteFile};

use crate::console::accounts::passwd;
use crate::console::user_path::{Folder, Missing, read_bounded};

const CONSOLE: &str = "console";
/// The largest file that is appended to. The text of a cloud-config is far smaller.
const MOST_BYTES: u64 = 64 << 20;

/// Writes the files meant for the console that no mount covers: mounts may need them. A failure does not end the loop;
/// the error names every file that failed.
pub(crate) fn write_above_mounts(config: &Config) -> Result<()> {
    let files = config.write_files.iter();
    write_each(
        files.filter(|file| container(file) == CONSOLE && !is_below_mount(file, config)),
        write,
    )
}

/// Writes the files meant for the console that belong on a filesystem of `mounts`, which would cover them otherwise.
pub(crate) fn write_below_mounts(config: &Config) -> Result<()> {
    let files = config.write_files.iter();
    write_each(
        files.filter(|file| container(file) == CONSOLE && is_below_mount(file, config)),
        write,
    )
}

fn is_below_mount(file: &WriteFile, config: &Config) -> bool {
    let mut mounts = config.mounts.iter().filter(|mount| !mount.is_swap());
    mounts.any(|mount| {
        let (path, target) = (Path::new(&file.path), Path::new(&mount.target));
        path != target && path.starts_with(target)
    })
}

/// Writes the files meant for other system containers to the folder that [`mount_into`] mounts them from.
pub(crate) fn write_for_containers(config: &Config) -> Result<()> {
    let others = config.write_files.iter().enumerate();
    let others: Vec<WriteFile> = others
        .filter(|(_, file)| container(file) != CONSOLE)
        .map(|(number, file)| WriteFile {
            path: staging_path(number),
            // There is no file yet to append to.
            append: false,
            ..file.clone()
        })
        .collect();
    write_each(others.iter(), write)
}

/// Adds the files meant for system containers to the volumes of their services. Returns a problem for every file that
/// names an unknown service.
pub(crate) fn mount_into(
    services: &mut BTreeMap<String, Service>,
    files: &[WriteFile],
) -> Vec<ProblemRecord> {
    let mut unknown = Vec::new();
    for (number, file) in files.iter().enumerate() {
        let name = container(file);
        if name == CONSOLE {
            continue;
        }
        match services
            .get_mut(name)
            .filter(|service| service.scope() == Scope::System)
        {
            Some(service) => {
                service
                    .volumes
                    .push(format!("{}:{}", staging_path(number), file.path))
            }
            None => {
                let text = format!(
                    "write_files: {}: there is no system service {name}",
                    file.path
                );
                unknown.push(ProblemRecord::error("write_files", "write_files", text));
            }
        }
    }
    unknown
}

fn staging_path(number: usize) -> String {
    format!("{STAGED_FILES}/{number}")
}

/// The name of the container that a file is meant for.
fn container(file: &WriteFile) -> &str {
    let name = file.container.as_deref().unwrap_or_default();
    if name.is_empty() { CONSOLE } else { name }
}

fn write_each<'a>(
    files: impl Iterator<Item = &'a WriteFile>,
    write: fn(&WriteFile) -> Result<()>,
) -> Result<()> {
    let failed: Vec<String> = files
        .filter_map(|file| write(file).err())
        .map(|error| format!("{error:#}"))
        .collect();
    anyhow::ensure!(failed.is_empty(), "{}", failed.join("; "));
    Ok(())
}

fn write(file: &WriteFile) -> Result<()> {
    let path = Path::new(&file.path);
    anyhow::ensure!(
        path.is_absolute(),
        "write_files: the path {:?} is not absolute",
        file.path
    );
    let content = file
        .decode()
        .with_context(|| format!("write_files: {}", file.path))?;
    let failed = || format!("writing {}", path.display());
    let (folder, name) = (path.parent(), path.file_name().map(Path::new));
    let (Some(folder), Some(name)) = (folder, name) else {
        anyhow::bail!("write_files: {}: it names no file", file.path);
    };
    // The folder may belong to a user, who can rename what is in it at any moment.
    let folder = Folder::open(folder, Missing::Make)
        .with_context(failed)?
        .with_context(failed)?;
    let before = match file.append {
        true => folder
            .open_file(name)
            .with_context(|| format!("write_files: reading {}", path.display()))?,
        false => None,
    };
    let (content, mode) = match before {
        Some(before) => {
            let meta = before.metadata().with_context(failed)?;
            let old = read_bounded(&before, MOST_BYTES)
                .with_context(|| format!("write_files: reading {}", path.display()))?;
            let Some(content) = append_once(old, &content) else {
                return Ok(());
            };
            let kept = file.permissions.is_none();
            let kept = kept.then(|| meta.permissions().mode() & 0o7777);
            (content, kept)
        }
        None => (content, None),
    };
    let mode = match mode {
        Some(mode) => mode,
        None => file
            .mode()
            .with_context(|| format!("write_files: {}", file.path))?,
    };
    let owner = file.owner.as_deref().filter(|owner| !owner.is_empty());
    let of_owner = || {
        format!(
            "write_files: {}: owner {:?}",
            file.path,
            owner.unwrap_or_default()
        )
    };
    let ids = owner.map(passwd::find_owner).transpose();
    let (user, group) = ids.with_context(of_owner)?.unwrap_or_default();
    let target = folder.path(name);
    // Files are written at every boot, and the disk may be full.
    let expected = (user.or(Some(geteuid().as_raw())), group);
    if atomic_file::is_current(&target, &content, mode, expected) {
        return Ok(());
    }
    let unfinished = AtomicFile::write(&target, &content, mode).with_context(failed)?;
    unfinished.set_owner(user, group).with_context(of_owner)?;
    unfinished.persist().with_context(failed)
}

/// A file's content with `addition` at its end; `None` if the file contains it already: files are written at every
/// boot, and a file on the state disk must not grow each time.
fn append_once(mut content: Vec<u8>, addition: &[u8]) -> Option<Vec<u8>> {
    let holds = content
        .windows(addition.len().max(1))
        .any(|part| part == addition);
    if holds || addition.is_empty() {
        return None;
    }
    content.extend_from_slice(addition);
    Some(content)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, lchown, symlink};

    use super::{append_once, mount_into, write};
    use os_config::WriteFile;
    use os_config::load::document;

    #[test]
    fn files_of_other_containers_are_mounted() {
        let text = "write_files:\n- {path: /a}\n- {path: /etc/b, container: ntp}\n- {path: /c, container: console}\n- {path: /d, container: web}\n\
            rancher:\n  services:\n    ntp: {image: x, labels: {io.rancher.os.scope: system}, volumes: ['/e:/e']}\n    web: {image: y}\n";
        let mut config = document(text.as_bytes()).unwrap();
        let unknown = mount_into(&mut config.rancher.services, &config.write_files);
        assert_eq!(
            config.rancher.services["ntp"].volumes,
            ["/e:/e", "/run/ros/files/1:/etc/b"],
            "WX-07"
        );
        let texts: Vec<&str> = unknown.iter().map(|found| found.text.as_str()).collect();
        assert_eq!(texts, ["write_files: /d: there is no system service web"]);
    }

    #[test]
    fn a_users_link_is_not_followed() {
        const NOBODY: u32 = 65534;
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("secrets")).unwrap();
        fs::write(path("secrets/secret"), "secret\n").unwrap();
        for (link, target) in [("folder", "secrets"), ("file", "secrets/secret")] {
            symlink(target, path(link)).unwrap();
            // Only root can make a link another user's; for other users every link is a user's.
            let _ = lchown(path(link), Some(NOBODY), Some(NOBODY));
        }
        let file = |name: &str, append| WriteFile {
            path: path(name).to_string_lossy().into_owned(),
            content: "more\n".into(),
            append,
            ..WriteFile::default()
        };
        // The secret would become part of a file that the user reads.
        assert!(write(&file("file", true)).is_err());
        assert!(write(&file("folder/secret", true)).is_err());
        assert!(write(&file("folder/new", false)).is_err());
        assert_eq!(fs::read_dir(path("secrets")).unwrap().count(), 1);
        // A link at the path itself is replaced.
        write(&file("file", false)).unwrap();
        assert_eq!(fs::read_to_string(path("file")).unwrap(), "more\n");
        assert_eq!(
            fs::read_to_string(path("secrets/secret")).unwrap(),
            "secret\n"
        );
        fs::set_permissions(path("file"), fs::Permissions::from_mode(0o751)).unwrap();
        fs::write(path("file"), "a\n").unwrap();
        write(&file("file", true)).unwrap();
        assert_eq!(fs::read_to_string(path("file")).unwrap(), "a\nmore\n");
        let mode = path("file").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o751);
    }

    #[test]
    fn appending_again_changes_nothing() {
        let old = || b"a\nb\n".to_vec();
        assert_eq!(append_once(old(), b"c\n").unwrap(), b"a\nb\nc\n");
        assert_eq!(append_once(old(), b"b\n"), None);
        assert_eq!(append_once(Vec::new(), b"b\n").unwrap(), b"b\n");
        assert_eq!(append_once(old(), b""), None);
    }

    #[test]
    fn only_files_on_a_mounted_filesystem_wait_for_mounts() {
        let text = "write_files: [{path: /test}, {path: /mnt/data/conf}, {path: /mnt/database}, {path: /home/x/file}]\n\
            mounts: [[/dev/vdb, /mnt/data], [/test, /home/x/file, '', bind], [/dev/vdc, swap]]\n";
        let config = document(text.as_bytes()).unwrap();
        let below = |file: &&WriteFile| super::is_below_mount(file, &config);
        let waiting: Vec<&str> = config
            .write_files
            .iter()
            .filter(below)
            .map(|file| file.path.as_str())
            .collect();
        assert_eq!(waiting, ["/mnt/data/conf"]);
    }
}
