//! PID 1 reads configurations and must survive all of them: damaged documents give reports, never a panic.

use os_config::validate::validate;

const DOCUMENTS: usize = 50_000;
const MOST_EDITS: usize = 12;
const LONGEST_EXCERPT: usize = 300;
/// Text with a meaning for YAML's scanner.
const MARKS: &[&[u8]] = &[
    b"\t",
    b"\n",
    b"\r",
    b"- ",
    b"? ",
    b": ",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b"&a ",
    b"*a",
    b"<<: *a",
    b"|",
    b"|2-\n",
    b">",
    b">9+\n",
    b"'",
    b"\"",
    b"\\x",
    b"\\u12",
    b"%YAML 1.1\n",
    b"%TAG ! x\n",
    b"---\n",
    b"...\n",
    b"!",
    b"!!",
    b"!<",
    b"#",
    b"@",
    b"`",
    b"~",
    b"\0",
    b"\xef\xbb\xbf",
    b"\xc2\x85",
    b"\xe2\x80\xa8",
    b"\xff",
];

/// Marsaglia's xorshift64: the same documents in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit.max(1) as u64).unwrap()
    }
}

#[test]
fn no_damage_is_too_much() {
    let whole = include_bytes!("../defaults/os-config.yml");
    let mut random = Random(88_172_645_463_325_252);
    for _ in 0..DOCUMENTS {
        let from = random.below(whole.len());
        let to = (from + random.below(LONGEST_EXCERPT)).min(whole.len());
        let mut document = whole[from..to].to_vec();
        for _ in 0..=random.below(MOST_EDITS) {
            let at = random.below(document.len() + 1);
            match random.below(3) {
                0 => document.insert(at, u8::try_from(random.below(256)).unwrap()),
                1 if at < document.len() => drop(document.remove(at)),
                _ => {
                    let mark = MARKS[random.below(MARKS.len())];
                    document.splice(at..at, mark.iter().copied());
                }
            }
        }
        let outcome = std::panic::catch_unwind(|| validate(&document, "damaged.yml"));
        assert!(outcome.is_ok(), "{:?}", String::from_utf8_lossy(&document));
    }
}
