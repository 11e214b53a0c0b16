// The table of losses, as Python sees it.
#include "bindings.hpp"

#include <hessorbit/loss.hpp>

namespace hessorbit::bindings {

namespace {

py::list table() {
    constexpr const char* targets[] = {"real", "unit_interval", "probabilities", "nonnegative"};
    py::list result;
    for (const LossDescription& description : loss_table) {
        py::dict entry;
        entry["name"] = description.name;
        entry["targets"] = targets[static_cast<int>(description.targets)];
        entry["shift_invariant"] = description.shift_invariant;
        entry["parameter"] = description.parameter.empty() ? py::object(py::none()) : py::str(description.parameter);
        entry["default"] = description.default_parameter;
        result.append(entry);
    }
    return result;
}

}  // namespace

void register_loss_table(py::module_& module) { module.def("loss_table", &table); }

}  // namespace hessorbit::bindings
