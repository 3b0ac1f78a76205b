//! The remedies for a System Docker that cannot start on its data: the data is set aside, or System Docker works in
//! memory. The data is disposable: the OS image ships the images, and only pulled consoles and engines are lost to the
//! machine. A person finds them in the folder that was set aside.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use host::paths::{
    SYSTEM_CONTAINERD_STATE, SYSTEM_CONTAINERS_CGROUP, SYSTEM_DOCKER_RUN, USER_DOCKER_CGROUP,
};
use host::perform;
use host::perform::unmount;

use crate::plan::mounts;

/// The cgroups of System Docker's containers, which outlive its daemons.
const CONTAINERS: [&str; 2] = [SYSTEM_CONTAINERS_CGROUP, USER_DOCKER_CGROUP];
/// Damaged data is set aside under at most so many names. The last name is used again: the first has what people miss.
const MAX_SET_ASIDE: usize = 3;

/// Renames the data and installs the image store anew.
pub(super) fn set_aside() -> Result<()> {
    leave();
    let data = mounts::system_docker_folder();
    rename(&data)?;
    perform::run_plan(&mounts::system_docker_data(), |text| log::warn!("{text}"))?;
    perform::run_plan(&mounts::image_store(), |text| log::warn!("{text}"))
}

/// Installs the image store in memory; the data stays where it is.
pub(super) fn install_in_memory() -> Result<()> {
    leave();
    perform::run_plan(&mounts::image_store_in_memory(), |text| {
        log::warn!("{text}");
    })
}

/// Ends what the daemons have left behind, and unmounts the data. What fails here shows in the next step.
fn leave() {
    for cgroup in CONTAINERS {
        let _ = perform::kill_cgroup(Path::new(cgroup));
    }
    for folder in [mounts::SYSTEM_DOCKER_DATA, SYSTEM_DOCKER_RUN] {
        unmount::detach_below(Path::new(folder));
    }
    let _ = fs::remove_dir_all(SYSTEM_CONTAINERD_STATE);
}

fn rename(data: &Path) -> Result<()> {
    let names: Vec<PathBuf> = names(data).take(MAX_SET_ASIDE).collect();
    let is_free = |name: &&PathBuf| name.symlink_metadata().is_err();
    let Some(name) = names.iter().find(is_free).or(names.last()) else {
        return Ok(());
    };
    if name.symlink_metadata().is_ok() {
        fs::remove_dir_all(name).with_context(|| format!("removing {}", name.display()))?;
    }
    fs::rename(data, name)
        .with_context(|| format!("renaming {} to {}", data.display(), name.display()))
}

/// `system-docker.damaged`, `system-docker.damaged-2` …
fn names(data: &Path) -> impl Iterator<Item = PathBuf> {
    let name = |suffix: String| {
        let mut name = data.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let first = std::iter::once(name(".damaged".to_owned()));
    first.chain((2..).map(move |number| name(format!(".damaged-{number}"))))
}

#[cfg(test)]
mod tests {
    use super::rename;
    use std::fs;

    #[test]
    fn damaged_data_is_kept_and_does_not_pile_up() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("system-docker");
        for number in 1..=5 {
            fs::create_dir(&data).unwrap();
            fs::write(data.join("file"), number.to_string()).unwrap();
            rename(&data).unwrap();
            assert!(!data.exists());
        }
        let kept = |suffix: &str| {
            let name = folder.path().join(format!("system-docker.damaged{suffix}"));
            fs::read_to_string(name.join("file")).unwrap_or_default()
        };
        assert_eq!(
            [kept(""), kept("-2"), kept("-3"), kept("-4")],
            ["1", "2", "5", ""]
        );
    }
}
