//! Checks the identifiers in AWS's answers before they become part of a name, an ARN, a URL, a policy or an export: the
//! answers may come from an endpoint of the user's choice, or from something between.

use super::AwsError;
use crate::spec::{Region, is_account, is_partition};

/// The account and the partition of the caller, from the answer to `call`.
pub(super) fn identity(
    call: &'static str,
    account: Option<&str>,
    arn: Option<&str>,
) -> Result<(String, String), AwsError> {
    let account = account.ok_or_else(|| AwsError::incomplete(call, "account"))?;
    if !is_account(account) {
        return Err(AwsError::malformed(call, "account", account, "12 digits"));
    }
    let arn = arn.ok_or_else(|| AwsError::incomplete(call, "ARN"))?;
    let partition = arn.strip_prefix("arn:").and_then(|rest| rest.split(':').next());
    match partition {
        Some(partition) if is_partition(partition) => Ok((account.to_owned(), partition.to_owned())),
        _ => Err(AwsError::malformed(call, "ARN", arn, "one of AWS's partitions, such as arn:aws:...")),
    }
}

pub(super) fn region(text: &str) -> Result<String, AwsError> {
    let region = Region::new(text);
    region.map(|region| region.to_string()).map_err(|allowed| {
        let message = format!("the region \"{text}\" {allowed}");
        AwsError::new("configuration", super::ErrorKind::Other, message)
    })
}

/// The id of a REST API, from the answer to `call`.
pub(crate) fn api_id(call: &'static str, id: Option<&str>) -> Result<String, AwsError> {
    let id = id.ok_or_else(|| AwsError::incomplete(call, "id"))?;
    let is_id = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if !id.is_empty() && id.bytes().all(is_id) {
        Ok(id.to_owned())
    } else {
        Err(AwsError::malformed(call, "API id", id, "of a-z and 0-9"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: &str = "sts:GetCallerIdentity";

    #[test]
    fn an_identity_is_an_account_and_a_partition() {
        for (arn, partition) in [
            ("arn:aws:iam::123456789012:root", "aws"),
            ("arn:aws-cn:sts::123456789012:assumed-role/r/s", "aws-cn"),
            ("arn:aws-iso-b:iam::123456789012:user/u", "aws-iso-b"),
        ] {
            let identity = identity(CALL, Some("123456789012"), Some(arn)).unwrap();
            assert_eq!(identity, ("123456789012".to_owned(), partition.to_owned()));
        }
    }

    #[test]
    fn another_identity_is_an_error_that_shows_it_harmlessly() {
        let arn = "arn:aws:iam::123456789012:root";
        let account = "123456789012\nresource \"x\" \"y\" {";
        for (account, arn, said) in [
            (
                account,
                arn,
                r#"the answer has the account "123456789012\nresource "x" "y" {", which is not 12 digits"#,
            ),
            ("", arn, "which is not 12 digits"),
            ("1234567890123", arn, "which is not 12 digits"),
            ("12345678901２", arn, "which is not 12 digits"),
            ("123456789012", "arn:aws\u{202e}:iam::1:root", r"arn:aws\u{202e}:iam::1:root"),
            ("123456789012", "arn:aws-:iam::1:root", "which is not one of AWS's partitions"),
            ("123456789012", "arn::iam::1:root", "which is not one of AWS's partitions"),
            ("123456789012", "arn:aws\n:iam::1:root", "which is not one of AWS's partitions"),
            ("123456789012", "aws:iam", "which is not one of AWS's partitions"),
        ] {
            let error = identity(CALL, Some(account), Some(arn)).unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
        }
        assert!(
            identity(CALL, None, Some(arn)).is_err() && identity(CALL, Some("123456789012"), None).is_err()
        );
    }

    #[test]
    fn regions_and_apis_have_their_form() {
        assert_eq!(region("us-gov-west-1").unwrap(), "us-gov-west-1");
        for other in ["", "us-east-1\n", "us-east-1/x", "http://x", "us-east-1\u{200b}"] {
            let error = region(other).unwrap_err().to_string();
            assert!(error.contains("must be an AWS region") && !error.contains('\n'), "{error}");
        }
        assert_eq!(api_id(CALL, Some("a1b2c3")).unwrap(), "a1b2c3");
        for other in ["", "A1", "a/../b", "a\nb", "a.evil.example#", "ａ"] {
            assert!(api_id(CALL, Some(other)).is_err(), "{other}");
        }
        assert!(api_id(CALL, None).is_err());
    }
}
