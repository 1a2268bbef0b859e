//! The proleptic Gregorian calendar, in days from 2000-01-01.
//!
//! Years are astronomical: 0 is 1 BC. The cycle of 400 years is counted from a first of March, so that the leap day is
//! the last of its year.

/// Days from 0000-03-01 to 2000-01-01.
const EPOCH_DAYS: i64 = 730_425;
/// Days in 400 years.
pub(crate) const CYCLE_DAYS: i64 = 146_097;
/// The Julian day number of 2000-01-01.
pub const EPOCH_JULIAN: i32 = 2_451_545;

/// Days from 2000-01-01 to the date; `month` is 1 to 12, `day` may be any.
#[inline]
pub fn days_from_civil(year: i64, month: u32, day: i64) -> i64 {
    let (month, year) =
        if month > 2 { (i64::from(month) - 3, year) } else { (i64::from(month) + 9, year - 1) };
    let cycle = year.div_euclid(400);
    let year = year.rem_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    cycle * CYCLE_DAYS + year * 365 + year / 4 - year / 100 + day_of_year - EPOCH_DAYS
}

/// Year, month and day of a number of days from 2000-01-01.
#[inline]
pub fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let days = days + EPOCH_DAYS;
    let cycle = days.div_euclid(CYCLE_DAYS);
    let day = days.rem_euclid(CYCLE_DAYS) as u32;
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (cycle * 400 + i64::from(year) + next, month, day)
}

/// Whether the year has a leap day.
pub fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days of a month.
pub fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        2 => 28 + u32::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Day of the week of a number of days from 2000-01-01, 0 for Sunday.
pub fn day_of_week(days: i64) -> u32 {
    (days + 6).rem_euclid(7) as u32
}

/// ISO 8601 year and week.
pub fn iso_week(days: i64) -> (i64, u32) {
    // The Thursday of a week lies in the year that owns the week.
    let thursday = days - i64::from((day_of_week(days) + 6) % 7) + 3;
    let (year, _, _) = civil_from_days(thursday);
    let first = days_from_civil(year, 1, 1);
    (year, ((thursday - first) / 7 + 1) as u32)
}

/// The Monday of an ISO week.
pub fn iso_week_start(year: i64, week: i64) -> i64 {
    let fourth = days_from_civil(year, 1, 4);
    fourth - i64::from((day_of_week(fourth) + 6) % 7) + (week - 1) * 7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_come_back() {
        for days in (-2_451_545..2_145_032_000i64).step_by(99_991).chain(-1000..1000) {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day.into()), days);
            assert!((1..=12).contains(&month) && day >= 1 && day <= days_in_month(year, month));
        }
        assert_eq!(civil_from_days(0), (2000, 1, 1));
        assert_eq!(civil_from_days(-2_451_545), (-4713, 11, 24));
        assert_eq!(day_of_week(0), 6);
        assert_eq!(iso_week(days_from_civil(2021, 1, 3)), (2020, 53));
    }
}
