// The table of activations, and their derivatives, as Python sees them.
#include "bindings.hpp"

#include <hessorbit/activation.hpp>

#include <algorithm>

namespace {

using namespace hessorbit;
using namespace hessorbit::bindings;

py::dict symmetry(const ActivationDescription& description, double parameter) {
    const SymmetryClass s = description.symmetry(parameter);
    py::dict result;
    result["name"] = std::string(description.name);
    result["parameter"] = description.parameter;
    result["positively_homogeneous"] = s.positively_homogeneous;
    result["linear"] = s.linear;
    result["odd"] = s.odd;
    result["constant_odd"] = s.constant_odd;
    result["even"] = s.even;
    result["homogeneous_degree"] = s.homogeneous_degree;
    result["even_linear"] = s.even_linear;
    return result;
}

py::list table() {
    py::list result;
    for (const ActivationDescription& description : activation_table)
        result.append(symmetry(description, description.parameter.value_or(0)));
    return result;
}

const ActivationDescription& described(const std::string& name) {
    for (const ActivationDescription& description : activation_table)
        if (description.name == name) return description;
    throw py::value_error("activation: \"" + name + "\" is not in the table");
}

py::dict properties(const std::string& name, double parameter) {
    const ActivationDescription& description = described(name);
    py::dict result = symmetry(description, parameter);
    if (description.parameter) result["parameter"] = parameter;
    return result;
}

template <class T>
py::tuple derivatives(const std::string& name, double parameter, const Array<T>& z) {
    const Activation activation{described(name).kind, parameter};
    const Index n = z.size();
    Rows<T> rows = Rows<T>::Zero(4, padded(n));
    std::copy(z.data(), z.data() + n, rows.row(0).data());
    {
        const py::gil_scoped_release release;
        evaluate<T>(activation, rows.row(0).data(), rows.cols(), rows.row(1).data(), rows.row(2).data(),
                    rows.row(3).data());
    }
    const auto result = [&](int row) { return Array<T>(n, rows.row(row).data()); };
    return py::make_tuple(result(1), result(2), result(3));
}

}  // namespace

void register_activation(py::module_& module) {
    module.def("activation_table", &table);
    module.def("activation_properties", &properties, py::arg("name"), py::arg("parameter"));
    module.def("activation_derivatives", &derivatives<double>, py::arg("name"), py::arg("parameter"),
               py::arg("z").noconvert());
    module.def("activation_derivatives", &derivatives<long double>, py::arg("name"), py::arg("parameter"),
               py::arg("z").noconvert());
}
