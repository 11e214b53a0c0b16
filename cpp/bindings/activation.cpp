// The table of activations, and their derivatives, as Python sees them.
#include "bindings.hpp"

#include <hessorbit/activation.hpp>

#include <algorithm>

namespace {

using namespace hessorbit;
using namespace hessorbit::bindings;

py::dict expansion(const Expansion& expansion) {
    py::list terms;
    for (const Term& term : expansion.terms)
        if (term.amplitude != 0)
            terms.append(py::make_tuple(term.amplitude, term.scale, std::string(term.atom.name), term.atom.parity,
                                        term.atom.degree));
    py::dict result;
    result["constant"] = expansion.constant;
    result["slope"] = expansion.slope;
    result["terms"] = py::tuple(terms);
    return result;
}

py::dict properties(const ActivationDescription& description, double parameter) {
    const Properties p = description.properties(parameter);
    py::dict result;
    result["name"] = std::string(description.name);
    result["parameter"] = description.parameter;
    result["positively_homogeneous"] = p.positively_homogeneous;
    result["linear"] = p.linear;
    result["odd"] = p.odd;
    result["constant_odd"] = p.constant_odd;
    result["even"] = p.even;
    result["homogeneous_degree"] = p.homogeneous_degree;
    result["even_linear"] = p.even_linear;
    result["exponential"] = p.exponential;
    result["phase"] = p.phase;
    result["power"] = p.power;
    result["zero_below"] = p.zero_below;
    result["slope_bound"] = p.slope_bound;
    result["expansion"] = expansion(description.expansion(parameter));
    return result;
}

py::list table() {
    py::list result;
    for (const ActivationDescription& description : activation_table)
        result.append(properties(description, description.parameter.value_or(0)));
    return result;
}

const ActivationDescription& described(const std::string& name) {
    for (const ActivationDescription& description : activation_table)
        if (description.name == name) return description;
    throw py::value_error("activation: \"" + name + "\" is not in the table");
}

py::dict properties_of(const std::string& name, double parameter) {
    const ActivationDescription& description = described(name);
    py::dict result = properties(description, parameter);
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
    module.def("activation_properties", &properties_of, py::arg("name"), py::arg("parameter"));
    module.def("activation_derivatives", &derivatives<double>, py::arg("name"), py::arg("parameter"),
               py::arg("z").noconvert());
    module.def("activation_derivatives", &derivatives<long double>, py::arg("name"), py::arg("parameter"),
               py::arg("z").noconvert());
}
