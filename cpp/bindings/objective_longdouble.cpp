#include "objective.hpp"

void hessorbit::bindings::register_objective_longdouble(py::module_& module) {
    bind_outputs<long double>(module);
    bind_objective<long double>(module, "ObjectiveLongDouble");
}
