#include "objective.hpp"

#include <hessorbit/wide_implementation.hpp>

void hessorbit::bindings::register_objective_longdouble(py::module_& module) {
    static const WideObjectiveFactory factory = &make_wide_objective;
    module.attr(wide_objective_capsule) = py::capsule(&factory, wide_objective_capsule);
    bind_outputs<long double>(module);
    bind_objective<long double>(module, "ObjectiveLongDouble");
}
