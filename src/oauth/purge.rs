//! The last thing that is done with an installation: its key leaves the keychain.
//!
//! Owns: nothing. Refuses to know: whether the grants were revoked before, and what becomes of the files.

use super::error::TokenError;
use super::grants::Grants;
use super::key::StoreKind;

impl Grants {
    /// Deletes the key of the vault from its place. Without it the vault never opens again, so the person is signed out
    /// first. Where there is no vault there is nothing to delete. Returns where the key lay.
    ///
    /// # Errors
    /// Where the keychain cannot be reached or refuses; the entry then stays.
    pub async fn forget_key(&self) -> Result<Option<StoreKind>, TokenError> {
        self.blocking(|inner| inner.vault.forget_key()).await
    }
}
