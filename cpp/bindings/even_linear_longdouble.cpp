#include "even_linear.hpp"

void hessorbit::bindings::register_even_linear_longdouble(py::module_& module) { bind_flip<long double>(module); }
