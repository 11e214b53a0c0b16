// The population loss of a signed network, and its derivatives.
#include "classes.hpp"
#include "names.hpp"
#include "threads.hpp"

#include <hessorbit/population/loss.hpp>

namespace hessorbit::bindings {

namespace {

using Doubles = Array<double>;

std::vector<Activation> activations_named(const std::vector<std::pair<std::string, double>>& names) {
    std::vector<Activation> result;
    for (const auto& [name, parameter] : names) result.push_back(activation_named(name, parameter));
    return result;
}

population::Method method(double tolerance, bool closed) {
    require(tolerance > 0 && tolerance < 1, "tolerance: expected a number between 0 and 1");
    return {std::clamp(17 - std::log(tolerance), 32.0, 45.0), 1, closed};
}

class BoundPopulation {
public:
    BoundPopulation(const std::vector<std::pair<std::string, double>>& activations, Index students, double tolerance,
                    int threads, bool closed)
        : loss_(activations_named(activations), students, method(tolerance, closed)), threads_(thread_count(threads)) {
        require(students >= 0 && students <= loss_.neurons(), "students: expected a number up to that of neurons");
    }

    // incoming (n, q), bias (n), outgoing (n + 1, K), the last row that of the output biases
    py::tuple derivatives(const Doubles& incoming, const Doubles& bias, const Doubles& outgoing, int order,
                          bool gauss_newton, double fineness) {
        const Index n = loss_.neurons();
        if (incoming.ndim() != 2 || bias.ndim() != 1 || outgoing.ndim() != 2 || incoming.shape(0) != n ||
            bias.shape(0) != n || outgoing.shape(0) != n + 1)
            throw py::value_error("population: expected incoming (n, q), bias (n) and outgoing (n + 1, K)");
        for (const Doubles* each : {&incoming, &bias, &outgoing})
            require(std::all_of(each->data(), each->data() + each->size(), [](double x) { return std::isfinite(x); }),
                    "population: expected finite weights");
        require(order >= 0 && order <= 2, "order: expected 0, 1 or 2");
        require(fineness >= 1 && fineness <= 8, "fineness: expected a number from 1 to 8");
        const Index q = incoming.shape(1), k = outgoing.shape(1), p = loss_.num_parameters(q, k);
        Doubles gradient(order > 0 ? p : 0), curvature({order > 1 ? p : 0, order > 1 ? p : 0});
        const double *w = incoming.data(), *b = bias.data(), *v = outgoing.data();
        double *g = order > 0 ? gradient.mutable_data() : nullptr, *h = order > 1 ? curvature.mutable_data() : nullptr;
        double loss;
        {
            const LockReleased released;
            loss = loss_(w, b, v, q, k, fineness, threads_, g, h,
                         gauss_newton ? population::Curvature::gauss_newton : population::Curvature::hessian);
        }
        return py::make_tuple(loss, gradient, curvature);
    }

private:
    population::Loss loss_;
    int threads_;
};

}  // namespace

void register_population(py::module_& m) {
    py::class_<BoundPopulation> type(m, "Population", py::is_final());
    type.def(py::init<const std::vector<std::pair<std::string, double>>&, Index, double, int, bool>(),
             py::arg("activations"), py::arg("students"), py::arg("tolerance"), py::arg("threads"),
             py::arg("closed") = true)
        .def("derivatives", &BoundPopulation::derivatives, py::arg("incoming").noconvert(), py::arg("bias").noconvert(),
             py::arg("outgoing").noconvert(), py::arg("order"), py::arg("gauss_newton"), py::arg("fineness"));
    never_empty(type);
}

}  // namespace hessorbit::bindings
