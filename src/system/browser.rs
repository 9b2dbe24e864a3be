//! Opening a page in the person's browser.
