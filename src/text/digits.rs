//! Integers as digits with separators. Currency symbols and words live in `locale`; no floats anywhere.

/// `1204300` → `1,204,300`; a minus stays in front.
pub fn group_thousands(number: i64) -> String {
    signed(number, &group(&number.unsigned_abs().to_string()))
}

/// Minor units as a plain decimal without separators, for machines: `29000`, 2 → `290.00`.
pub fn decimal(minor: i64, exponent: u8) -> String {
    let (whole, fraction) = split(minor, exponent);
    signed(minor, &join(&whole, &fraction))
}

/// Minor units as a decimal with separators, for people: `129000`, 2 → `1,290.00`.
pub fn grouped_decimal(minor: i64, exponent: u8) -> String {
    let (whole, fraction) = split(minor, exponent);
    signed(minor, &join(&group(&whole), &fraction))
}

fn split(minor: i64, exponent: u8) -> (String, String) {
    let places = usize::from(exponent);
    let mut whole = format!("{:0>min$}", minor.unsigned_abs(), min = places + 1);
    let fraction = whole.split_off(whole.len() - places);
    (whole, fraction)
}

fn join(whole: &str, fraction: &str) -> String {
    if fraction.is_empty() {
        whole.to_owned()
    } else {
        format!("{whole}.{fraction}")
    }
}

fn group(digits: &str) -> String {
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn signed(number: i64, digits: &str) -> String {
    if number < 0 {
        format!("-{digits}")
    } else {
        digits.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn thousands_are_grouped_up_to_the_last_integer() {
        assert_eq!(group_thousands(0), "0");
        assert_eq!(group_thousands(999), "999");
        assert_eq!(group_thousands(-1_204_300), "-1,204,300");
        assert_eq!(group_thousands(i64::MIN), "-9,223,372,036,854,775,808");
    }

    #[test]
    fn every_exponent_puts_the_point_where_it_belongs() {
        assert_eq!(decimal(9_900, 0), "9900");
        assert_eq!(decimal(29_000, 2), "290.00");
        assert_eq!(decimal(-5, 2), "-0.05");
        assert_eq!(grouped_decimal(1_234_567, 3), "1,234.567");
    }

    proptest! {
        #[test]
        fn a_grouped_number_reads_back(number: i64) {
            prop_assert_eq!(group_thousands(number).replace(',', "").parse(), Ok(number));
        }
    }
}
