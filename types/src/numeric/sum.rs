//! Exact sums and averages.
//!
//! The running sum keeps one mantissa at the largest scale seen; it leaves i128 only when it must.

use super::{Numeric, arith};
use crate::Result;

/// A running sum of numerics.
#[derive(Clone, Debug, Default)]
pub struct NumericSum {
    /// The sum of what fitted, times 10^`scale`.
    mantissa: i128,
    scale: u16,
    /// What left the mantissa, and everything that is not inline.
    rest: Option<Numeric>,
    count: u64,
}

impl NumericSum {
    /// Nothing summed yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many values were added.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds a value.
    #[inline]
    pub fn add(&mut self, value: &Numeric) -> Result<()> {
        if let Numeric::Decimal { mantissa, scale } = *value {
            return self.add_decimal(mantissa, scale);
        }
        self.count += 1;
        self.add_rest(value)
    }

    /// Adds `mantissa` * 10^-`scale`.
    #[inline]
    pub fn add_decimal(&mut self, mantissa: i128, scale: u16) -> Result<()> {
        self.count += 1;
        if scale == self.scale
            && let Some(sum) = self.mantissa.checked_add(mantissa)
        {
            self.mantissa = sum;
            return Ok(());
        }
        self.add_scaled(mantissa, scale)
    }

    /// Adds the sum of `count` values of one scale that a kernel summed itself.
    #[inline]
    pub fn add_many(&mut self, mantissa: i128, scale: u16, count: u64) -> Result<()> {
        self.add_decimal(mantissa, scale)?;
        self.count = self.count + count - 1;
        Ok(())
    }

    #[cold]
    fn add_scaled(&mut self, mantissa: i128, scale: u16) -> Result<()> {
        // Summed before the scale changes: the mantissa means what the old scale says.
        let part = Numeric::from_parts(self.mantissa, self.scale);
        let sum = part.add(&Numeric::from_parts(mantissa, scale))?;
        self.mantissa = 0;
        self.scale = self.scale.max(scale);
        self.add_rest(&sum)
    }

    fn add_rest(&mut self, value: &Numeric) -> Result<()> {
        self.rest = Some(match &self.rest {
            Some(rest) => rest.add(value)?,
            None => value.clone(),
        });
        // Back to the fast form where that is possible.
        if let Some(Numeric::Decimal { mantissa, scale }) = self.rest
            && scale >= self.scale
            && self.mantissa == 0
        {
            (self.mantissa, self.scale, self.rest) = (mantissa, scale, None);
        }
        Ok(())
    }

    /// Adds what another sum has.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        let count = self.count + other.count;
        if let Some(rest) = &other.rest {
            self.add_rest(rest)?;
        }
        self.add_decimal(other.mantissa, other.scale)?;
        self.count = count;
        Ok(())
    }

    /// The sum; `None` if nothing was added.
    pub fn sum(&self) -> Result<Option<Numeric>> {
        if self.count == 0 {
            return Ok(None);
        }
        let part = Numeric::from_parts(self.mantissa, self.scale);
        Ok(Some(match &self.rest {
            Some(rest) => rest.add(&part)?,
            None => part,
        }))
    }

    /// The sum divided by the count, at the scale of division; `None` if nothing was added.
    pub fn avg(&self) -> Result<Option<Numeric>> {
        let Some(sum) = self.sum()? else {
            return Ok(None);
        };
        average(&sum, self.count).map(Some)
    }
}

/// `sum` / `count`, where count is not zero.
fn average(sum: &Numeric, count: u64) -> Result<Numeric> {
    let count = Numeric::Decimal { mantissa: count.into(), scale: 0 };
    match sum {
        Numeric::Decimal { .. } | Numeric::Big(_) => {
            sum.div_scaled(&count, arith::division_scale(sum, &count), true)
        }
        Numeric::NaN | Numeric::PositiveInfinity | Numeric::NegativeInfinity => Ok(sum.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_do_not_depend_on_order_or_parts() {
        let texts = ["1.10", "-3", "99999999999999999999999999999999999999", "0.005", "1e40"];
        let values: Vec<Numeric> =
            texts.iter().map(|text| Numeric::parse(text).expect("a number")).collect();
        let mut whole = NumericSum::new();
        let (mut first, mut second) = (NumericSum::new(), NumericSum::new());
        for i in 0..200 {
            let value = &values[i * 7 % values.len()];
            whole.add(value).expect("in range");
            (if i < 90 { &mut first } else { &mut second }).add(value).expect("in range");
        }
        second.merge(&first).expect("in range");
        let shown = |sum: &NumericSum| sum.sum().expect("in range").expect("not empty").to_string();
        assert_eq!(shown(&whole), "403999999999999999999999999999999999999884.200");
        assert_eq!(shown(&second), shown(&whole));
        assert_eq!((whole.count(), second.count()), (200, 200));
        assert_eq!(NumericSum::new().avg().expect("no error"), None);
    }

    #[test]
    fn averages_have_the_scale_of_division() {
        let mut sum = NumericSum::new();
        for value in [1i64, 2, 2] {
            sum.add(&Numeric::from(value)).expect("in range");
        }
        let average = sum.avg().expect("in range").expect("not empty");
        assert_eq!(average.to_string(), "1.6666666666666667");
    }
}
