//! Performs the steps of an installation, and prints each with the time that it took.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use disk::esp::{self, EspFile};
use disk::layout::{Partition, Role};
use disk::partition_table::{self, Guids};
use disk::slots::Slot;
use disk::superblock::{EXT_BYTES, EXT_COPIES};
use disk::window::Window;
use disk::{bios_boot, fat};
use nix::fcntl::OFlag;

use crate::disk::install::plan::{InstallPlan, Step, has_boot_code};
use crate::disk::install::slot_digests;
use crate::disk::install::source::Source;
use crate::disk::install::state::filesystem;
use crate::disk::install::state::images::SavedImages;
use crate::disk::install::state::medium_images;
use crate::disk::install::state::preserve::PreservedState;
use crate::disk::install::table_image::{END_BYTES, TableImage};
use crate::disk::install::target::{Target, TargetKind};
use crate::disk::slot_image::{SlotCopy, SlotPlace, drop_caches};
use crate::subprocess::run;
use crate::switch::transaction::cut_point;

/// The name of the steps for [`cut_point`].
const STAGE: &str = "install";
/// The part of the first MiB that is written at once: eight sectors of 512 bytes, or one of 4096.
const BLOCK_BYTES: usize = 4096;
const MBR_BYTES: usize = 512;
/// Boot code that has the BIOS go on with the next disk: `int 0x18`, and a halt where that comes back.
const NEXT_DISK: [u8; 5] = [0xCD, 0x18, 0xF4, 0xEB, 0xFD];
/// udev looks at a disk that was written to, and the kernel keeps the old partitions meanwhile.
const REREAD_TRIES: u32 = 10;
const REREAD_PAUSE: Duration = Duration::from_millis(200);

/// What a new machine gets.
#[derive(Debug)]
pub(super) struct Payload {
    pub(super) source: Source,
    pub(super) cloud_config: Option<Vec<u8>>,
    /// The file of the EFI system partition with the machine's own words of the kernel line.
    pub(super) kernel_line: Vec<u8>,
    /// The state of the disk, where it stays.
    pub(super) preserved: Option<PreservedState>,
    /// Images for the services of the cloud-config.
    pub(super) images: Option<SavedImages>,
    /// Archives of images on the medium.
    pub(super) medium_images: Vec<PathBuf>,
    /// The folder of the state that the machine has in place of the whole.
    pub(super) state_folder: Option<String>,
}

/// An installation that is carried out.
#[derive(Debug)]
pub(super) struct Performer<'a> {
    target: &'a Target,
    plan: &'a InstallPlan,
    payload: &'a Payload,
    table: TableImage,
    /// The table that names a state that stays, and nothing to start.
    table_of_state: Option<TableImage>,
    /// The part of GRUB that BIOS starts.
    core: Option<Vec<u8>>,
    claim: Option<File>,
    copy: Option<SlotCopy>,
}

impl<'a> Performer<'a> {
    /// Prepares what can go wrong without a disk.
    pub(super) fn new(
        target: &'a Target,
        plan: &'a InstallPlan,
        payload: &'a Payload,
    ) -> Result<Self> {
        let mut guids = random_guids()?;
        let mut table_of_state = None;
        if let Some(preserved) = &payload.preserved {
            let [.., state] = &mut guids.partitions;
            *state = preserved
                .partition
                .guid_bytes()
                .context("reading the GUID of the state partition")?;
            table_of_state = Some(state_table(target, plan, &guids)?);
        }
        let mut table = TableImage::new(target.bytes);
        partition_table::write(&mut table, &plan.layout, &guids)
            .context("making the partition table")?;
        let core = match has_boot_code(target.sector_bytes) {
            true => Some(add_boot_code(&mut table, plan, payload)?),
            false => None,
        };
        Ok(Self {
            target,
            plan,
            payload,
            table,
            table_of_state,
            core,
            claim: None,
            copy: None,
        })
    }

    /// Performs all steps of the plan.
    pub(super) fn perform_all(&mut self) -> Result<()> {
        let plan = self.plan;
        let count = plan.steps.len();
        cut_point::pass(STAGE, 0);
        for (index, step) in plan.steps.iter().enumerate() {
            print!("[{}/{count}] {step} … ", index + 1);
            // A closed standard output is no reason to stop.
            let _ = std::io::stdout().flush();
            let began = Instant::now();
            if let Err(error) = self.perform(*step) {
                println!("failed");
                bail!("{step}: {error:#}\nhint: {}", self.hint(*step));
            }
            println!("{:.1} s", began.elapsed().as_secs_f64());
            cut_point::pass(STAGE, index + 1);
        }
        self.show_partitions();
        Ok(())
    }

    /// What a failed step leaves.
    fn hint(&self, step: Step) -> String {
        match step {
            Step::CheckSystem => "nothing was changed".to_owned(),
            Step::Claim => {
                "nothing was changed; a disk that is busy is mounted, or another program has it"
                    .to_owned()
            }
            Step::CheckState => "the system on the disk was not changed".to_owned(),
            _ => format!(
                "{} is not installed; run the command again when the cause is gone{}",
                self.target.path.display(),
                match self.payload.preserved {
                    Some(_) => " (its state is still there, so with -t noformat too)",
                    None => "",
                }
            ),
        }
    }

    fn perform(&mut self, step: Step) -> Result<()> {
        match step {
            Step::CheckSystem => slot_digests::check(&self.payload.source.files),
            Step::Claim => self.claim(),
            Step::EraseTables => self.erase_tables(),
            Step::CheckState => self.check_state(),
            Step::HideSystem => self.hide_system(),
            Step::WriteSlot(slot) => self.write_slot(slot),
            Step::ReadSlotsBack => self.read_slots_back(),
            Step::WriteEsp => self.write_esp(),
            Step::MakeState => self.make_state(),
            Step::SeedState => self.seed_state(),
            Step::WriteBootCode => self.write_boot_code(),
            Step::WriteTable => self.write_table(),
        }
    }

    /// Opens the disk for this program alone: the kernel refuses a disk that is mounted, and lets nobody mount it.
    fn claim(&mut self) -> Result<()> {
        let mut options = File::options();
        options.read(true).write(true);
        if matches!(self.target.kind, TargetKind::Disk(_)) {
            options.custom_flags(OFlag::O_EXCL.bits());
        }
        let path = &self.target.path;
        let file = options
            .open(path)
            .with_context(|| format!("opening {} for this program alone", path.display()))?;
        if self.target.kind == TargetKind::ImageFile {
            file.try_lock()
                .with_context(|| format!("locking {}", path.display()))?;
        }
        self.claim = Some(file);
        Ok(())
    }

    fn device(&self) -> Result<&File> {
        self.claim.as_ref().context("the disk is not open")
    }

    /// Erases the copies before what they are copies of: until the last write, the disk holds what it held before. PID 1
    /// knows a filesystem of the whole disk by a copy of ext4's superblock too.
    fn erase_tables(&mut self) -> Result<()> {
        let device = self.device()?;
        let zeros = vec![0; usize::try_from(END_BYTES)?];
        let superblock = zeros.split_at(EXT_BYTES).0;
        let copies = EXT_COPIES.map(|place| (superblock, place));
        let ends = [self.table.last_start(), 0].map(|place| (zeros.as_slice(), place));
        for (bytes, place) in copies.into_iter().chain(ends) {
            device.write_all_at(bytes, place)?;
            device.sync_all()?;
        }
        Ok(())
    }

    fn preserved(&self) -> Result<&'a PreservedState> {
        let preserved = self.payload.preserved.as_ref();
        preserved.context("no state of the disk stays")
    }

    /// e2fsck, as debugfs later, opens the disk for itself.
    fn check_state(&mut self) -> Result<()> {
        let preserved = self.preserved()?;
        self.claim = None;
        preserved.check(&self.target.path)?;
        self.claim()
    }

    /// The copy of the table comes first: a cut before the table itself is written leaves a disk that starts as before, and
    /// a cut within that write leaves the copy.
    fn hide_system(&self) -> Result<()> {
        let table = self.table_of_state.as_ref();
        let table = table.context("no state of the disk stays")?;
        self.write_table_copy(table)?;
        self.write_table_head(table)?;
        drop_caches(self.device()?)
    }

    fn slot(&self, slot: Slot) -> Result<SlotPlace<'_>> {
        let partition = self.plan.layout.partition(slot.role());
        Ok(SlotPlace {
            device: self.device()?,
            first_byte: partition.first_byte,
            bytes: partition.bytes,
        })
    }

    fn write_slot(&mut self, slot: Slot) -> Result<()> {
        let source = &self.payload.source;
        let place = self.slot(slot)?;
        match &self.copy {
            None => {
                let image = File::open(&source.slot)
                    .with_context(|| format!("opening {}", source.slot.display()))?;
                let mut image = image.take(source.slot_bytes);
                self.copy = Some(place.copy_body(&mut image, source.slot_bytes)?);
            }
            // The new disk gives the image back faster than a CD does. The comparison of both slots follows.
            Some(copy) => place.copy_slot(self.slot(slot.other())?, copy)?,
        }
        Ok(())
    }

    fn read_slots_back(&mut self) -> Result<()> {
        let copy = self.copy.as_ref().context("no slot is written")?;
        for slot in Slot::ALL {
            let place = self.slot(slot)?;
            place
                .verify(copy)
                .and_then(|()| place.finish(copy))
                .with_context(|| format!("slot {slot}"))?;
        }
        Ok(())
    }

    fn window(&self, partition: &Partition) -> Result<Window<&File>> {
        let (first, bytes) = (partition.first_byte, partition.bytes);
        Ok(Window::new(self.device()?, first, bytes))
    }

    fn write_esp(&mut self) -> Result<()> {
        let partition = self.plan.layout.partition(Role::Esp);
        let files = self.payload.source.boot.of_esp(&self.payload.kernel_line);
        let files: Vec<EspFile<'_>> = files
            .iter()
            .map(|(path, bytes)| EspFile { path, bytes })
            .collect();
        let mut window = self.window(partition)?;
        esp::write(
            &mut window,
            partition.bytes,
            self.target.sector_bytes,
            &files,
        )?;
        let device = self.device()?;
        device.sync_all()?;
        drop_caches(device)?;
        // These are written in place later, without a filesystem.
        for path in esp::ENVIRONMENTS.into_iter().chain([esp::KERNEL_LINE]) {
            let is_whole = fat::find(&mut self.window(partition)?, path).is_some();
            ensure!(is_whole, "{path} is not in one piece");
        }
        Ok(())
    }

    fn make_state(&mut self) -> Result<()> {
        let (target, payload) = (self.target, self.payload);
        let partition = self.plan.layout.partition(Role::State);
        // mke2fs refuses a disk that another program has claimed.
        self.claim = None;
        let tree = payload.images.as_ref().map(SavedImages::tree);
        let cloud_config = payload.cloud_config.as_deref();
        filesystem::make(&target.path, partition, cloud_config, tree.as_deref())?;
        medium_images::write(&payload.medium_images, &target.path, partition.first_byte)?;
        self.claim()?;
        self.device()?.sync_all()?;
        Ok(())
    }

    fn seed_state(&mut self) -> Result<()> {
        let (target, payload) = (self.target, self.payload);
        let preserved = self.preserved()?;
        let cloud_config = payload.cloud_config.as_deref().unwrap_or_default();
        self.claim = None;
        let folder = payload.state_folder.as_deref();
        preserved.seed(&target.path, folder, cloud_config)?;
        self.claim()?;
        self.device()?.sync_all()?;
        Ok(())
    }

    fn write_boot_code(&mut self) -> Result<()> {
        let place = self.plan.layout.partition(Role::BiosBoot).first_byte;
        let core = self.core.as_deref().unwrap_or_default();
        let device = self.device()?;
        device.write_all_at(core, place)?;
        device.sync_all()?;
        Ok(())
    }

    /// Writes the block with the head of a table after all others of the disk's first end. With sectors of 512 bytes the boot
    /// code is in the same block, and one write has both.
    fn write_table_head(&self, table: &TableImage) -> Result<()> {
        let device = self.device()?;
        let (first, rest) = table.first().split_at(BLOCK_BYTES);
        let (second, rest) = rest.split_at(BLOCK_BYTES);
        let block = BLOCK_BYTES as u64;
        let mut blocks = [(second, block), (first, 0)];
        if self.target.sector_bytes == block {
            // The head is in the second sector.
            blocks.reverse();
        }
        for (bytes, place) in [(rest, 2 * block)].into_iter().chain(blocks) {
            device.write_all_at(bytes, place)?;
            device.sync_all()?;
        }
        Ok(())
    }

    /// Writes the copy at the disk's end, and nothing before it: a state that has grown reaches up to it.
    fn write_table_copy(&self, table: &TableImage) -> Result<()> {
        let device = self.device()?;
        let length = partition_table::copy_bytes(self.target.sector_bytes);
        let before = END_BYTES.saturating_sub(length);
        let copy = table.last().split_at(usize::try_from(before)?).1;
        device.write_all_at(copy, table.last_start() + before)?;
        device.sync_all()?;
        Ok(())
    }

    fn write_table(&mut self) -> Result<()> {
        self.write_table_head(&self.table)?;
        self.write_table_copy(&self.table)?;
        let mut device = self.device()?;
        drop_caches(device)?;
        let found = partition_table::read(&mut device, self.target.sector_bytes);
        let count = found.map_or(0, |partitions| partitions.len());
        ensure!(
            count == Role::ALL.len(),
            "the disk does not give the partition table back (hint: take another disk)"
        );
        self.claim = None;
        Ok(())
    }

    /// Has the kernel read the new table. Otherwise it does at the next boot.
    fn show_partitions(&self) {
        if self.target.kind == TargetKind::ImageFile {
            return;
        }
        let node = self.target.path.display().to_string();
        let read = || run("blockdev", &["--rereadpt", &node], None);
        let mut result = read();
        for _ in 1..REREAD_TRIES {
            if result.is_ok() {
                return;
            }
            sleep(REREAD_PAUSE);
            result = read();
        }
        if let Err(error) = result {
            eprintln!("ros: {node} shows its old partitions until the reboot: {error:#}");
        }
    }
}

/// Makes the table that names the state partition alone, for the time in which the system is written.
fn state_table(target: &Target, plan: &InstallPlan, guids: &Guids) -> Result<TableImage> {
    let mut table = TableImage::new(target.bytes);
    partition_table::write_roles(&mut table, &plan.layout, guids, &[Role::State])
        .context("making the partition table of the state")?;
    let start = table.first_mut().first_chunk_mut::<{ NEXT_DISK.len() }>();
    *start.context("a disk without a first sector")? = NEXT_DISK;
    Ok(table)
}

/// Adds the boot code to the first sector. Returns the part of GRUB that it starts.
fn add_boot_code(table: &mut TableImage, plan: &InstallPlan, payload: &Payload) -> Result<Vec<u8>> {
    let boot = &payload.source.boot;
    let partition = plan.layout.partition(Role::BiosBoot);
    let place = partition.first_byte / plan.layout.sector_bytes;
    let core = bios_boot::core_image(&boot.core_image, place)
        .context("making GRUB's image for BIOS: core.img is damaged")?;
    ensure!(
        core.len() as u64 <= partition.bytes,
        "core.img has {} bytes, and its partition {}",
        core.len(),
        partition.bytes
    );
    let sector = table.first_mut().first_chunk_mut::<MBR_BYTES>();
    let sector = sector.context("a disk without a first sector")?;
    *sector = bios_boot::boot_sector(&boot.boot_image, sector, place)
        .context("making the boot sector: boot.img is damaged")?;
    Ok(core)
}

fn random_guids() -> Result<Guids> {
    let mut random = File::open("/dev/urandom").context("opening /dev/urandom")?;
    let mut guids = [[0; 16]; 6];
    for guid in &mut guids {
        random.read_exact(guid).context("reading /dev/urandom")?;
    }
    let [disk, partitions @ ..] = guids;
    Ok(Guids { disk, partitions })
}
