#include "activation_derivatives.hpp"

void hessorbit::bindings::register_activation_float64(py::module_& module) {
    bind_activation_derivatives<double>(module);
}
