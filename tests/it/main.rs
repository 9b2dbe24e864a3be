//! One integration binary; each area is a module.

mod approve;
mod clients;
mod house;
<<<<<<< HEAD
=======
mod relay;
>>>>>>> main
mod secrets;
mod signin;
mod support;
mod trade;
mod verbs;
