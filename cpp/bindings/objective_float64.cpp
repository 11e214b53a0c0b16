#include "objective.hpp"

void hessorbit::bindings::register_objective_float64(py::module_& module) {
    bind_outputs<double>(module);
    bind_objective<double>(module, "Objective");
}
