//! What every place for media promises, asked of each: of a folder, of the S3 interface as a small server of our own
//! pretends it, and of the S3-compatible server that `GATEWAY_TEST_S3_URL` names.

mod claims;
mod files;
mod pretend;
mod s3;
mod support;
