// `_common`: what is not hot, and everything in long double, compiled once.
#include "bindings.hpp"
#include "interruption.hpp"

PYBIND11_MODULE(_common, module, pybind11::mod_gil_not_used()) {
    using namespace hessorbit::bindings;
    module.doc() = "What is not hot, and everything in long double.";
    raise_on_interruption();
    register_network(module);
    register_activation_table(module);
    register_loss_table(module);
    register_activation_longdouble(module);
    register_objective_longdouble(module);
    register_group_element(module);
    register_even_linear(module);
    register_minima(module);
    register_population(module);
}
