#include "even_linear.hpp"

void hessorbit::bindings::register_even_linear_float64(py::module_& module) { bind_flip<double>(module); }
