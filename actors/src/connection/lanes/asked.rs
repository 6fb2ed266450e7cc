//! Whether a reading of the store is under way, and whether its answer will be of use.

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Asked {
    #[default]
    No,
    Yes,
    /// Memory forgot what the reading goes on from.
    InVain,
}

impl Asked {
    pub(super) const fn is_under_way(self) -> bool {
        !matches!(self, Self::No)
    }

    pub(super) const fn spoil(&mut self) {
        if self.is_under_way() {
            *self = Self::InVain;
        }
    }

    /// It is answered; whether the answer may be used.
    pub(super) const fn end(&mut self) -> bool {
        let of_use = matches!(self, Self::Yes);
        *self = Self::No;
        of_use
    }
}
