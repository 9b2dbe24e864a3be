//! An icon file as the resources that Windows makes of it: the images, and a list of them.

/// The parts of an icon.
pub(crate) struct Icon {
    pub(crate) group: Vec<u8>,
    pub(crate) images: Vec<Vec<u8>>,
}

/// Takes an icon file apart; `None` where it is none. The list of a file tells where each image lies, that of a resource
/// tells its number, from 1.
pub(crate) fn read(file: &[u8]) -> Option<Icon> {
    let (head, list) = file.split_at_checked(6)?;
    let images = usize::from(u16::from_le_bytes([*head.get(4)?, *head.get(5)?]));
    let mut icon = Icon {
        group: head.to_vec(),
        images: Vec::new(),
    };
    for (entry, number) in list.chunks_exact(16).take(images).zip(1_u16..) {
        let (like, place) = entry.split_at_checked(12)?;
        let size = usize::try_from(u32::from_le_bytes(like.get(8..)?.try_into().ok()?)).ok()?;
        let at = usize::try_from(u32::from_le_bytes(place.try_into().ok()?)).ok()?;
        icon.images.push(file.get(at..at.checked_add(size)?)?.to_vec());
        icon.group.extend(like);
        icon.group.extend(number.to_le_bytes());
    }
    (icon.images.len() == images).then_some(icon)
}
