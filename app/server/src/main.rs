//! The program `malecon`.

use std::process::ExitCode;

fn main() -> ExitCode {
    malecon_server::command::main()
}
