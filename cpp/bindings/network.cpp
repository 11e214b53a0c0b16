// Network, and whether an array is finite, for Python.
#include "classes.hpp"
#include "names.hpp"

#include <hessorbit/kernel/finite.hpp>

namespace hessorbit::bindings {

namespace {

constexpr std::array<std::pair<const char*, Parametrization>, 3> parametrizations{
    {{"standard", Parametrization::standard},
     {"ntk", Parametrization::ntk},
     {"mean_field", Parametrization::mean_field}}};

template <class T>
bool all_finite(const Array<T>& values) {
    return hessorbit::all_finite(values.data(), values.size());
}

std::vector<double> multipliers(const Network& network) {
    std::vector<double> result;
    for (Index l = 0; l < network.depth(); ++l) result.push_back(network.layer(l).multiplier<double>());
    return result;
}

}  // namespace

void register_network(py::module_& module) {
    py::class_<Network> type(module, "Network", py::is_final());
    type.def(py::init([](const std::vector<Index>& widths,
                         const std::vector<std::vector<std::tuple<std::string, double, Index>>>& activations,
                         const std::vector<bool>& biases, const std::string& parametrization) {
                 require(widths.size() >= 2, "widths: expected at least two");
                 require(activations.size() + 1 == widths.size(), "activations: expected one list per layer");
                 require(biases.size() + 1 == widths.size(), "biases: expected one per layer");
                 Network::Runs runs;
                 for (std::size_t l = 0; l < activations.size(); ++l) {
                     require(widths[l] > 0 && widths[l + 1] > 0, "widths: expected positive numbers");
                     runs.emplace_back();
                     Index left = widths[l + 1];
                     for (const auto& [name, parameter, count] : activations[l]) {
                         require(count > 0 && count <= left, "activations: expected numbers that add up to the width");
                         runs.back().push_back({activation_named(name, parameter), 0, count});
                         left -= count;
                     }
                     require(left == 0, "activations: expected numbers that add up to the width");
                 }
                 return Network::of_runs(widths, runs, biases,
                                named(parametrizations, parametrization, "parametrization"));
             }),
             py::arg("widths"), py::arg("activations"), py::arg("biases"), py::arg("parametrization"))
        .def_property_readonly("num_parameters", &Network::num_parameters)
        .def_property_readonly("multipliers", &multipliers);
    never_empty(type);
    module.def("all_finite", &all_finite<double>, py::arg("values").noconvert());
    module.def("all_finite", &all_finite<long double>, py::arg("values").noconvert());
}

}  // namespace hessorbit::bindings
