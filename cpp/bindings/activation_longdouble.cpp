#include "activation_derivatives.hpp"

void hessorbit::bindings::register_activation_longdouble(py::module_& module) {
    bind_activation_derivatives<long double>(module);
}
