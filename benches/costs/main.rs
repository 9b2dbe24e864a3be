//! What the program's own work costs: the wire, the gate, the disk. Numbers and the machine are in `benches/README.md`;
//! nothing here fails for being slow.

mod disk;
mod gate;
mod wire;

fn main() {
    divan::main();
}
