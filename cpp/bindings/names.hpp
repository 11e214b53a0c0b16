// Names from Python, looked up in the core's tables and enumerations.
#pragma once

#include "bindings.hpp"

#include <hessorbit/loss.hpp>

#include <array>
#include <utility>

namespace hessorbit::bindings {

template <class Value, std::size_t count>
Value named(const std::array<std::pair<const char*, Value>, count>& names, const std::string& name, const char* argument) {
    for (const auto& [known, value] : names)
        if (name == known) return value;
    throw py::value_error(std::string(argument) + ": unknown name '" + name + "'");
}

inline const LossDescription& loss_named(const std::string& name) {
    for (const LossDescription& description : loss_table)
        if (description.name == name) return description;
    throw py::value_error("loss: unknown name '" + name + "'");
}

inline const ActivationDescription& description_named(const std::string& name) {
    for (const ActivationDescription& description : activation_table)
        if (description.name == name) return description;
    throw py::value_error("activation: unknown name '" + name + "'");
}

inline Activation activation_named(const std::string& name, double parameter) {
    return {description_named(name).kind, parameter};
}

}  // namespace hessorbit::bindings
