//! Seeded chance, as the specifications of TPC-C and YCSB want it.
//!
//! A seed repeats its numbers, so two servers are asked for the same work.

/// SplitMix64.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number from `low` to `high`, both included.
    pub(crate) const fn between(&mut self, low: i32, high: i32) -> i32 {
        low + (self.next() % (high as i64 - low as i64 + 1) as u64) as i32
    }

    /// A number from 0 to 1, without 1.
    pub(crate) const fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Whether something happens that happens to so many of a hundred.
    pub(crate) const fn percent(&mut self, of_hundred: u64) -> bool {
        self.next() % 100 < of_hundred
    }

    /// TPC-C's non-uniform number (clause 2.1.6); `c` is the run's constant.
    pub(crate) const fn non_uniform(&mut self, a: i32, c: i32, low: i32, high: i32) -> i32 {
        ((self.between(0, a) | self.between(low, high)) + c) % (high - low + 1) + low
    }

    /// Letters and digits, from `low` to `high` of them.
    pub(crate) fn text(&mut self, low: i32, high: i32) -> String {
        const LETTERS: &[u8; 64] =
            b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ab";
        let len = self.between(low, high);
        (0..len).map(|_| LETTERS[(self.next() >> 58) as usize] as char).collect()
    }

    /// Digits.
    pub(crate) fn digits(&mut self, count: i32) -> String {
        (0..count).map(|_| (b'0' + (self.next() % 10) as u8) as char).collect()
    }
}

/// The mixing step of SplitMix64: also what scatters YCSB's keys.
pub(crate) const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Numbers from 0 to `count - 1`, of which the first come most often (Gray et al., SIGMOD 1994; YCSB's constant 0.99).
#[derive(Clone, Debug)]
pub(crate) struct Zipfian {
    count: u64,
    alpha: f64,
    zeta: f64,
    eta: f64,
}

impl Zipfian {
    const THETA: f64 = 0.99;

    pub(crate) fn new(count: u64) -> Self {
        let zeta = |n: u64| (1..=n).map(|i| (i as f64).powf(-Self::THETA)).sum::<f64>();
        let all = zeta(count);
        let eta = (1.0 - (2.0 / count as f64).powf(1.0 - Self::THETA)) / (1.0 - zeta(2) / all);
        Self { count, alpha: 1.0 / (1.0 - Self::THETA), zeta: all, eta }
    }

    pub(crate) fn next(&self, chance: &mut Chance) -> u64 {
        let unit = chance.unit();
        let scaled = unit * self.zeta;
        if scaled < 1.0 {
            return 0;
        }
        if scaled < 1.0 + 0.5_f64.powf(Self::THETA) {
            return 1;
        }
        let number = self.count as f64 * (self.eta * unit - self.eta + 1.0).powf(self.alpha);
        (number as u64).min(self.count - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_numbers_of_a_zipfian_come_most_often() {
        let zipfian = Zipfian::new(1000);
        let mut chance = Chance::new(1);
        let mut counts = vec![0; 1000];
        for _ in 0..100_000 {
            counts[zipfian.next(&mut chance) as usize] += 1;
        }
        // 1 / zeta(1000) is 13.2 %.
        assert!((12_000..14_500).contains(&counts[0]), "{}", counts[0]);
        assert!(counts[0] > counts[1] && counts[1] > counts[10] && counts[10] > counts[500]);
    }

    #[test]
    fn numbers_stay_in_their_bounds() {
        let mut chance = Chance::new(2);
        for _ in 0..10_000 {
            assert!((3..=7).contains(&chance.between(3, 7)));
            assert!((1..=3000).contains(&chance.non_uniform(1023, 259, 1, 3000)));
            assert!((5..=9).contains(&chance.text(5, 9).len()));
        }
    }
}
