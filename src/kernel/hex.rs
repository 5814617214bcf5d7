//! Bytes as hexadecimal digits, for files and labels.

/// Two lower-case digits a byte.
pub fn encode(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)])
        .collect()
}

/// The `N` bytes these digits stand for; `None` for anything else.
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut digits = text.chars().map(|digit| {
        digit
            .to_digit(16)
            .and_then(|value| u8::try_from(value).ok())
    });
    let mut bytes = [0; N];
    for byte in &mut bytes {
        let (high, low) = (digits.next()??, digits.next()??);
        *byte = high << 4 | low;
    }
    digits.next().is_none().then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_nothing_else_is() {
        let bytes = [0x00, 0x0f, 0xa5, 0xff];
        assert_eq!(encode(&bytes), "000fa5ff");
        assert_eq!(decode::<4>("000fA5ff"), Some(bytes));
        for text in [
            "",
            "000fa5f",
            "000fa5ff0",
            "000fa5fg",
            "+00fa5ff",
            "00 fa5ff",
        ] {
            assert_eq!(decode::<4>(text), None, "{text}");
        }
    }
}
