//! The structure of a bolt database, in which Docker and containerd keep their state (bbolt, `page.go`, `db.go`). Both
//! end at once on a damaged database, and a power failure can damage it.

const MAGIC: u32 = 0xED0C_DAED;
const VERSION: u32 = 2;
const PAGE_HEADER: usize = 16;
/// The length of a meta page's fields before their checksum.
const META_LENGTH: usize = 56;
const BRANCH: u16 = 1;
const LEAF: u16 = 2;
const FREELIST: u16 = 16;
/// The number of a page that is not there.
const NO_PAGE: u64 = u64::MAX;
/// An element of a leaf that holds a bucket.
const BUCKET: u32 = 1;
const ELEMENT: usize = 16;
/// A tree of pages is never this deep; a circle of damaged pages is.
const MAX_DEPTH: u32 = 64;
/// The page sizes to look for the second meta page with, if the first is damaged.
const PAGE_SIZES: [usize; 3] = [4096, 16384, 65536];

/// Whether every page that the database refers to is what it must be. An empty file is a database that is still to be
/// made.
pub fn is_whole(file: &[u8]) -> bool {
    if file.is_empty() {
        return true;
    }
    let first = Meta::read(file, 0);
    let sizes = first.as_ref().map(|meta| vec![meta.page_size]);
    let second = sizes
        .unwrap_or_else(|| PAGE_SIZES.to_vec())
        .into_iter()
        .find_map(|size| Meta::read(file, size).filter(|meta| meta.page_size == size));
    // bbolt takes the later of the valid pages.
    let Some(meta) = first.into_iter().chain(second).max_by_key(|meta| meta.txid) else {
        return false;
    };
    let database = Database {
        file,
        page_size: meta.page_size,
        pages: meta.pages,
    };
    database.is_whole(&meta).is_some()
}

struct Meta {
    page_size: usize,
    root: u64,
    freelist: u64,
    /// The number of pages.
    pages: u64,
    txid: u64,
}

impl Meta {
    fn read(file: &[u8], page: usize) -> Option<Self> {
        let meta = file.get(page.checked_add(PAGE_HEADER)?..)?;
        let checksum = u64_at(meta, META_LENGTH)?;
        let is_valid = u32_at(meta, 0)? == MAGIC
            && u32_at(meta, 4)? == VERSION
            && fnv1a(meta.get(..META_LENGTH)?) == checksum;
        let page_size = usize::try_from(u32_at(meta, 8)?).ok()?;
        (is_valid && page_size >= 512).then_some(Self {
            page_size,
            root: u64_at(meta, 16)?,
            freelist: u64_at(meta, 32)?,
            pages: u64_at(meta, 40)?,
            txid: u64_at(meta, 48)?,
        })
    }
}

struct Database<'a> {
    file: &'a [u8],
    page_size: usize,
    pages: u64,
}

impl Database<'_> {
    fn is_whole(&self, meta: &Meta) -> Option<()> {
        let length = usize::try_from(self.pages).ok()?;
        let length = length.checked_mul(self.page_size)?;
        if self.file.len() < length {
            return None;
        }
        if meta.freelist != NO_PAGE {
            let (flags, _) = self.page(meta.freelist)?;
            (flags == FREELIST).then_some(())?;
        }
        self.check_tree(meta.root, 0)
    }

    /// The flags and the bytes of a page with the pages that continue it, if its header names it.
    fn page(&self, number: u64) -> Option<(u16, &[u8])> {
        (number < self.pages).then_some(())?;
        let start = usize::try_from(number).ok()?.checked_mul(self.page_size)?;
        let header = self.file.get(start..)?;
        (u64_at(header, 0)? == number).then_some(())?;
        let more = usize::try_from(u32_at(header, 12)?).ok()?;
        let length = more.checked_add(1)?.checked_mul(self.page_size)?;
        Some((u16_at(header, 8)?, header.get(..length)?))
    }

    fn check_tree(&self, number: u64, depth: u32) -> Option<()> {
        (depth < MAX_DEPTH).then_some(())?;
        let (flags, page) = self.page(number)?;
        let count = usize::from(u16_at(page, 10)?);
        for place in (0..count).map(|index| PAGE_HEADER + index * ELEMENT) {
            let element = page.get(place..)?;
            match flags {
                BRANCH => {
                    let key = usize::try_from(u32_at(element, 0)?).ok()?;
                    element.get(key..key.checked_add(u32_at(element, 4)? as usize)?)?;
                    self.check_tree(u64_at(element, 8)?, depth + 1)?;
                }
                LEAF => {
                    let key = u32_at(element, 4)? as usize;
                    let value = key.checked_add(u32_at(element, 8)? as usize)?;
                    let end = value.checked_add(u32_at(element, 12)? as usize)?;
                    let value = element.get(value..end)?;
                    // A small bucket lies in its element, and its root is 0.
                    let root = match u32_at(element, 0)? {
                        BUCKET => u64_at(value, 0)?,
                        _ => 0,
                    };
                    if root != 0 {
                        self.check_tree(root, depth + 1)?;
                    }
                }
                _ => return None,
            }
        }
        matches!(flags, BRANCH | LEAF).then_some(())
    }
}

/// FNV-1a with 64 bits.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(bytes.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(8)?)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::is_whole;

    /// `volumes/metadata.db` of a dockerd that has made three volumes; containerd's `meta.db` after a container.
    const SAMPLES: [&[u8]; 2] = [
        include_bytes!("../tests/bolt/volumes.db"),
        include_bytes!("../tests/bolt/containerd.db"),
    ];
    const PAGE: usize = 4096;

    #[test]
    fn databases_of_docker_are_whole_and_every_cut_is_noticed() {
        assert!(is_whole(&[]));
        for sample in SAMPLES {
            assert!(is_whole(sample));
            // bbolt makes its files longer than their content.
            let used = (0..sample.len() / PAGE)
                .rfind(|page| sample[page * PAGE..][..PAGE].iter().any(|byte| *byte != 0))
                .unwrap();
            for length in (1..used * PAGE).step_by(509) {
                assert!(!is_whole(&sample[..length]), "{length}");
            }
        }
    }

    #[test]
    fn a_page_that_was_not_written_is_noticed() {
        for sample in SAMPLES {
            let mut is_noticed = Vec::new();
            for page in 0..sample.len() / PAGE {
                let mut damaged = sample.to_vec();
                damaged[page * PAGE..][..PAGE].fill(0);
                is_noticed.push(!is_whole(&damaged));
            }
            // One of two meta pages is enough, and there are free pages.
            assert!(is_noticed.contains(&true), "{is_noticed:?}");
            let mut without_meta = sample.to_vec();
            without_meta[..2 * PAGE].fill(0);
            assert!(!is_whole(&without_meta));
        }
    }

    #[test]
    fn no_damage_makes_it_panic_or_run_for_ever() {
        for sample in SAMPLES {
            for place in (0..sample.len()).step_by(97) {
                let mut damaged = sample.to_vec();
                damaged[place] ^= 0xff;
                let _ = is_whole(&damaged);
            }
        }
        assert!(!is_whole(b"no database"));
    }
}
