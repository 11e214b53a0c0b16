// The table of activations as Python sees it.
#include "names.hpp"

namespace hessorbit::bindings {

namespace {

py::dict expansion(const Expansion& expansion) {
    py::list terms;
    for (const Term& term : expansion.terms)
        if (term.amplitude != 0)
            terms.append(py::make_tuple(term.amplitude, term.scale, std::string(term.atom.name), term.atom.parity,
                                        term.atom.degree, term.atom.bound, term.atom.slope_bound));
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
    result["bound"] = p.bound;
    result["slope_bound"] = p.slope_bound;
    result["expansion"] = expansion(description.expansion(parameter));
    return result;
}

py::list activation_entries() {
    py::list result;
    for (const ActivationDescription& description : activation_table)
        result.append(properties(description, description.parameter.value_or(0)));
    return result;
}

py::dict properties_of(const std::string& name, double parameter) {
    const ActivationDescription& description = description_named(name);
    py::dict result = properties(description, parameter);
    if (description.parameter) result["parameter"] = parameter;
    return result;
}

}  // namespace

void register_activation_table(py::module_& module) {
    module.def("activation_table", &activation_entries);
    module.def("activation_properties", &properties_of, py::arg("name"), py::arg("parameter"));
}

}  // namespace hessorbit::bindings
