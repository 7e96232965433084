//! The contract suites, and what attackers send.

mod password;
mod seal {
    //! Seals.

    malecon_ports::sealer_contract!(crate::XChaChaSealer);
}
mod token;
