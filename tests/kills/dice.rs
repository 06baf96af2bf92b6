//! Chance that a seed repeats.

/// Moments and choices that a seed repeats; how far a process got by then, it does not.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub fn below(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides.max(1)
    }

    pub fn pick(&mut self, from: &[String]) -> Option<String> {
        let length = u64::try_from(from.len()).expect("a length");
        let at = usize::try_from(self.below(length)).expect("an index");
        from.get(at).cloned()
    }
}
