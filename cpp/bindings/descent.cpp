// Descent for Python.
#include "bound_objective.hpp"

#include <hessorbit/descent.hpp>

namespace hessorbit::bindings {

namespace {

constexpr std::array<std::pair<const char*, DescentMethod>, 3> methods{
    {{"gd", DescentMethod::gd}, {"momentum", DescentMethod::momentum}, {"adam", DescentMethod::adam}}};

}  // namespace

void register_descent(py::module_& module) {
    using Bound = BoundObjective<double>;
    const auto copy = [](const std::vector<double>& values) {
        return Array<double>(static_cast<py::ssize_t>(values.size()), values.data());
    };
    py::class_<Descent>(module, "Descent")
        .def(py::init([](Bound& objective, const Array<double>& theta, const std::string& method,
                         double learning_rate, double momentum, double beta2, double epsilon) {
                 require(theta.ndim() == 1 && theta.shape(0) == objective.core.num_parameters(),
                         "theta: expected shape (P,)");
                 const DescentOptions options{named(methods, method, "method"), learning_rate, momentum, beta2,
                                              epsilon};
                 return std::make_unique<Descent>(objective.core, theta.data(), options, objective.team());
             }),
             py::arg("objective"), py::arg("theta").noconvert(), py::arg("method"), py::arg("learning_rate"),
             py::arg("momentum"), py::arg("beta2"), py::arg("epsilon"), py::keep_alive<1, 2>())
        .def("advance", &Descent::advance, py::arg("max_steps"), py::arg("gradient_tolerance"),
             py::arg("loss_tolerance"), py::call_guard<py::gil_scoped_release>())
        .def_property_readonly("theta", [copy](const Descent& self) { return copy(self.theta()); })
        .def_property_readonly("gradient", [copy](const Descent& self) { return copy(self.gradient()); })
        .def_property_readonly("loss", &Descent::loss)
        .def_property_readonly("gradient_norm", &Descent::gradient_norm)
        .def_property_readonly("steps", &Descent::steps);
}

}  // namespace hessorbit::bindings
