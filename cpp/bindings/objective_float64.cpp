#include "objective.hpp"

void hessorbit::bindings::register_objective_float64(py::module_& module) {
    wide_objective_factory = *py::module_::import("hessorbit._common")
                                  .attr(wide_objective_capsule)
                                  .cast<py::capsule>()
                                  .get_pointer<const WideObjectiveFactory>();
    bind_outputs<double>(module);
    bind_objective<double>(module, "Objective");
}
