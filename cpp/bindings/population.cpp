// The population loss of a signed network, and its derivatives.
#include "classes.hpp"
#include "names.hpp"
#include "threads.hpp"

#include <hessorbit/population/derivatives.hpp>

namespace hessorbit::bindings {

namespace {

using namespace hessorbit::population;

using Doubles = Array<double>;

class BoundPopulation {
public:
    BoundPopulation(const std::vector<std::pair<std::string, double>>& activations, Index students, double tolerance,
                    int threads)
        : students_(students), threads_(thread_count(threads)) {
        require(students >= 0 && students <= static_cast<Index>(activations.size()),
                "students: expected a number up to that of neurons");
        require(tolerance > 0 && tolerance < 1, "tolerance: expected a number between 0 and 1");
        for (const auto& [name, parameter] : activations) shapes_.emplace_back(activation_named(name, parameter));
        shapes_.emplace_back();
        digits_ = std::clamp(17 - std::log(tolerance), 32.0, 45.0);
    }

    // incoming (n, q), bias (n), outgoing (n + 1, K), the last row that of the output biases
    py::tuple operator()(const Doubles& incoming, const Doubles& bias, const Doubles& outgoing, int order,
                         bool gauss_newton, double fineness) const {
        const Index n = static_cast<Index>(shapes_.size()) - 1;
        if (incoming.ndim() != 2 || bias.ndim() != 1 || outgoing.ndim() != 2 || incoming.shape(0) != n ||
            bias.shape(0) != n || outgoing.shape(0) != n + 1)
            throw py::value_error("population: expected incoming (n, q), bias (n) and outgoing (n + 1, K)");
        for (const Doubles* each : {&incoming, &bias, &outgoing})
            require(std::all_of(each->data(), each->data() + each->size(), [](double x) { return std::isfinite(x); }),
                    "population: expected finite weights");
        require(order >= 0 && order <= 2, "order: expected 0, 1 or 2");
        require(fineness >= 1 && fineness <= 8, "fineness: expected a number from 1 to 8");
        SignedNetwork net{shapes_, Matrix<double>::Zero(n + 1, incoming.shape(1)), population::Vector::Zero(n + 1),
                          Eigen::Map<const Matrix<double>>(outgoing.data(), n + 1, outgoing.shape(1)), students_};
        net.incoming.topRows(n) = Eigen::Map<const Matrix<double>>(incoming.data(), n, incoming.shape(1));
        net.bias.head(n) = Eigen::Map<const population::Vector>(bias.data(), n);
        const Index p = net.num_parameters();
        Doubles gradient(order > 0 ? p : 0), curvature({order > 1 ? p : 0, order > 1 ? p : 0});
        double *g = gradient.mutable_data(), *h = curvature.mutable_data(), loss;
        {
            const py::gil_scoped_release release;
            const population::Derivatives derivatives(net, order, {digits_, fineness}, threads_);
            loss = derivatives.loss();
            if (order > 0) Eigen::Map<population::Vector>(g, p) = derivatives.gradient();
            if (order > 1)
                Eigen::Map<Matrix<double>>(h, p, p) =
                    derivatives.curvature(gauss_newton ? Curvature::gauss_newton : Curvature::hessian);
        }
        return py::make_tuple(loss, gradient, curvature);
    }

private:
    std::vector<population::Shape> shapes_;
    Index students_;
    int threads_;
    double digits_;
};

}  // namespace

void register_population(py::module_& m) {
    py::class_<BoundPopulation> type(m, "Population", py::is_final());
    type.def(py::init<const std::vector<std::pair<std::string, double>>&, Index, double, int>(), py::arg("activations"),
             py::arg("students"), py::arg("tolerance"), py::arg("threads"))
        .def("derivatives", &BoundPopulation::operator(), py::arg("incoming").noconvert(), py::arg("bias").noconvert(),
             py::arg("outgoing").noconvert(), py::arg("order"), py::arg("gauss_newton"), py::arg("fineness"));
    never_empty(type);
}

}  // namespace hessorbit::bindings
