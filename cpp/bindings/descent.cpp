// Descent for Python.
#include "bound_objective.hpp"
#include "classes.hpp"
#include "locked.hpp"

#include <hessorbit/descent.hpp>

#include <memory>

namespace hessorbit::bindings {

namespace {

constexpr std::array<std::pair<const char*, DescentMethod>, 3> methods{
    {{"gd", DescentMethod::gd}, {"momentum", DescentMethod::momentum}, {"adam", DescentMethod::adam}}};

using BoundDescent = Locked<Descent>;

template <class Value>
auto number(Value (Descent::*read)() const) {
    return [read](BoundDescent& self) { return self.locked([&](const Descent& core) { return (core.*read)(); }); };
}

auto array(const Eigen::ArrayXd& (Descent::*read)() const) {
    return [read](BoundDescent& self) {
        const auto copy = self.locked([&](const Descent& core) { return Eigen::ArrayXd((core.*read)()); });
        return Array<double>(static_cast<py::ssize_t>(copy.size()), copy.data());
    };
}

}  // namespace

void register_descent(py::module_& module) {
    using Bound = BoundObjective<double>;
    py::class_<BoundDescent> type(module, "Descent", py::is_final());
    type.def(
            py::init([](Bound& objective, const Array<double>& theta, const std::string& method, double learning_rate,
                        double momentum, double beta2, double epsilon) {
                require(theta.ndim() == 1 && theta.shape(0) == objective.core.num_parameters(),
                        "theta: expected shape (P,)");
                const DescentOptions options{named(methods, method, "method"), learning_rate, momentum, beta2, epsilon};
                return std::make_unique<BoundDescent>(objective.core, theta.data(), options, objective.team());
            }),
            py::arg("objective"), py::arg("theta").noconvert(), py::arg("method"), py::arg("learning_rate"),
            py::arg("momentum"), py::arg("beta2"), py::arg("epsilon"), py::keep_alive<1, 2>())
        .def(
            "advance",
            [](BoundDescent& self, Index max_steps, double gradient_tolerance, double loss_tolerance) {
                return self.locked(
                    [&](Descent& core) { return core.advance(max_steps, gradient_tolerance, loss_tolerance); });
            },
            py::arg("max_steps"), py::arg("gradient_tolerance"), py::arg("loss_tolerance"))
        .def_property_readonly("theta", array(&Descent::theta))
        .def_property_readonly("gradient", array(&Descent::gradient))
        .def_property_readonly("loss", number(&Descent::loss))
        .def_property_readonly("gradient_norm", number(&Descent::gradient_norm))
        .def_property_readonly("steps", number(&Descent::steps));
    never_empty(type);
}

}  // namespace hessorbit::bindings
