//! The last thing that is done with an installation: its key leaves the keychain.
//!
//! Owns: nothing. Refuses to know: whether the grants were revoked before, and what becomes of the files.

use super::endpoint::Endpoint;
use super::error::TokenError;
use super::grants::Grants;
use super::key::StoreKind;

impl Grants {
    /// Every address for which the vault holds a grant, this one's too. Signing out of one leaves the others: whoever
    /// deletes the vault signs out of each first.
    ///
    /// # Errors
    /// Where the vault cannot be opened.
    pub async fn endpoints(&self) -> Result<Vec<Endpoint>, TokenError> {
        let contents = self.contents().await?;
        let mut all: Vec<Endpoint> = Vec::new();
        for grant in &contents.grants {
            // What does not parse was never signed in to.
            if let Ok(endpoint) = Endpoint::parse(&grant.endpoint)
                && !all.contains(&endpoint)
            {
                all.push(endpoint);
            }
        }
        Ok(all)
    }

    /// Deletes the key of the vault from its place. Without it the vault never opens again, so the person is signed out
    /// first. Where there is no vault there is nothing to delete. Returns where the key lay.
    ///
    /// # Errors
    /// Where the keychain cannot be reached or refuses; the entry then stays.
    pub async fn forget_key(&self) -> Result<Option<StoreKind>, TokenError> {
        self.blocking(|inner| inner.vault.forget_key()).await
    }
}
