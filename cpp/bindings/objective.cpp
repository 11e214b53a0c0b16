// Network, Objective and Descent for Python.
#include "bindings.hpp"

#include <hessorbit/descent.hpp>

#include <map>

namespace hessorbit::bindings {

namespace {

template <class Value>
Value named(const std::map<std::string, Value>& names, const std::string& name, const char* argument) {
    const auto found = names.find(name);
    if (found == names.end()) throw py::value_error(std::string(argument) + ": unknown name '" + name + "'");
    return found->second;
}

const std::map<std::string, Parametrization> parametrizations{{"standard", Parametrization::standard},
                                                              {"ntk", Parametrization::ntk},
                                                              {"mean_field", Parametrization::mean_field}};
const std::map<std::string, LossKind> losses{{"squared_error", LossKind::squared_error},
                                             {"cross_entropy", LossKind::cross_entropy},
                                             {"logistic", LossKind::logistic}};
const std::map<std::string, DescentMethod> methods{
    {"gd", DescentMethod::gd}, {"momentum", DescentMethod::momentum}, {"adam", DescentMethod::adam}};

Activation activation_named(const std::string& name, double parameter) {
    for (const ActivationDescription& description : activation_table)
        if (description.name == name) return {description.kind, parameter};
    throw py::value_error("activations: unknown name '" + name + "'");
}

int thread_count(int threads) { return threads > 0 ? threads : max_threads(); }

void require(bool condition, const char* message) {
    if (!condition) throw py::value_error(message);
}

// An objective with the number of threads asked for; 0 follows OpenMP's limit at each call.
template <class T>
struct BoundObjective {
    Objective<T> core;
    int threads;

    int team() const { return thread_count(threads); }
};

template <class T>
std::unique_ptr<BoundObjective<T>> make_objective(const Network& network, const Array<T>& x, const Array<T>& y,
                                                  const Array<T>& weight, const std::string& loss, T l2,
                                                  int threads) {
    require(x.ndim() == 2 && x.shape(0) > 0 && x.shape(1) == network.inputs(), "x: expected shape (N, inputs), N > 0");
    require(y.ndim() == 2 && y.shape(0) == x.shape(0) && y.shape(1) == network.outputs(), "y: expected shape (N, K)");
    require(weight.ndim() == 1 && weight.shape(0) == x.shape(0), "weight: expected shape (N,)");
    const LossKind kind = named(losses, loss, "loss");
    Data<T> data = make_data<T>(network, x.shape(0), x.data(), y.data(), weight.data());
    return std::unique_ptr<BoundObjective<T>>(
        new BoundObjective<T>{{network, kind, l2, std::move(data)}, threads});
}

// A float64 scalar is Python's float; extended precision stays a NumPy scalar.
template <class T>
py::object scalar_or_array(const Array<T>& result) {
    if (result.ndim() > 0) return result;
    if constexpr (std::is_same_v<T, double>) return py::float_(*result.data());
    return result[py::tuple()];
}

// A method that maps θ to one array per θ: call(core, θ, batch, threads, out).
template <class T, class ShapeOf, class Call>
auto method(ShapeOf shape_of, Call call) {
    return [=](BoundObjective<T>& self, const Array<T>& theta) -> py::object {
        const Batch<T> batch(theta, self.core.num_parameters());
        Array<T> result = batch.result(shape_of(self.core));
        T* out = result.mutable_data();
        {
            const py::gil_scoped_release release;
            call(self.core, batch.data, batch.count, self.team(), out);
        }
        return scalar_or_array(result);
    };
}

template <class T>
void bind_objective(py::module_& module, const char* name) {
    using Core = Objective<T>;
    const auto theta = py::arg("theta").noconvert();
    const auto scalar = [](const Core&) { return Shape{}; };
    const auto vector = [](const Core& core) { return Shape{core.num_parameters()}; };
    const auto square = [](const Core& core) { return Shape{core.num_parameters(), core.num_parameters()}; };
    const auto outputs = [](const Core& core) { return Shape{core.samples(), core.network().outputs()}; };
    const auto residual = [](const Core& core) { return Shape{core.samples() * core.network().outputs()}; };
    const auto jacobian = [](const Core& core) {
        return Shape{core.samples() * core.network().outputs(), core.num_parameters()};
    };

    py::class_<BoundObjective<T>>(module, name)
        .def(py::init(&make_objective<T>), py::arg("network"), py::arg("x").noconvert(), py::arg("y").noconvert(),
             py::arg("weight").noconvert(), py::arg("loss"), py::arg("l2"), py::arg("threads"))
        .def("loss", method<T>(scalar, [](Core& core, const T* at, Index batch, int threads, T* out) {
                 core.value_and_gradient(at, batch, threads, out, nullptr);
             }), theta)
        .def("gradient", method<T>(vector, [](Core& core, const T* at, Index batch, int threads, T* out) {
                 core.value_and_gradient(at, batch, threads, nullptr, out);
             }), theta)
        .def("outputs", method<T>(outputs, [](Core& core, const T* at, Index batch, int threads, T* out) {
                 core.outputs(at, batch, threads, out);
             }), theta)
        .def("residual", method<T>(residual, [](Core& core, const T* at, Index batch, int threads, T* out) {
                 core.residual(at, batch, threads, out);
             }), theta)
        .def("jacobian", method<T>(jacobian, [](Core& core, const T* at, Index batch, int threads, T* out) {
                 core.jacobian(at, batch, threads, out);
             }), theta)
        .def("hessian", method<T>(square, [](Core& core, const T* at, Index batch, int threads, T* out) {
                 core.hessian(at, batch, threads, false, out);
             }), theta)
        .def("gauss_newton", method<T>(square, [](Core& core, const T* at, Index batch, int threads, T* out) {
                 core.hessian(at, batch, threads, true, out);
             }), theta)
        .def("hessian_diagonal", method<T>(vector, [](Core& core, const T* at, Index batch, int threads, T* out) {
                 core.hessian_diagonal(at, batch, threads, out);
             }), theta)
        .def("value_and_gradient",
             [](BoundObjective<T>& self, const Array<T>& at) {
                 const Batch<T> batch(at, self.core.num_parameters());
                 Array<T> loss = batch.result({}), gradient = batch.result({self.core.num_parameters()});
                 T *loss_out = loss.mutable_data(), *gradient_out = gradient.mutable_data();
                 {
                     const py::gil_scoped_release release;
                     self.core.value_and_gradient(batch.data, batch.count, self.team(), loss_out, gradient_out);
                 }
                 return py::make_tuple(scalar_or_array(loss), std::move(gradient));
             }, theta)
        .def("hvp",
             [](BoundObjective<T>& self, const Array<T>& at, const Array<T>& v) {
                 const Index p = self.core.num_parameters();
                 require(at.ndim() == 1 && at.shape(0) == p, "theta: expected shape (P,)");
                 require(v.ndim() == 2 && v.shape(1) == p, "v: expected shape (m, P)");
                 Array<T> product({v.shape(0), static_cast<py::ssize_t>(p)});
                 T* out = product.mutable_data();
                 const T *point = at.data(), *directions = v.data();
                 const Index count = v.shape(0);
                 {
                     const py::gil_scoped_release release;
                     self.core.product(point, directions, count, self.team(), out);
                 }
                 return product;
             }, theta, py::arg("v").noconvert());
}

template <class T>
void bind_outputs(py::module_& module) {
    module.def(
        "outputs",
        [](const Network& network, const Array<T>& theta, const Array<T>& x, int threads) {
            require(x.ndim() == 2 && x.shape(1) == network.inputs(), "x: expected shape (N, inputs)");
            const Batch<T> batch(theta, network.num_parameters());
            Array<T> result = batch.result({x.shape(0), static_cast<py::ssize_t>(network.outputs())});
            T* out = result.mutable_data();
            const T* samples = x.data();
            const Index count = x.shape(0);
            if (count == 0) return result;
            {
                const py::gil_scoped_release release;
                Data<T> data = make_data<T>(network, count, samples, nullptr, nullptr);
                Objective<T>(network, LossKind::squared_error, T(0), std::move(data))
                    .outputs(batch.data, batch.count, thread_count(threads), out);
            }
            return result;
        },
        py::arg("network"), py::arg("theta").noconvert(), py::arg("x").noconvert(), py::arg("threads"));
}

void bind_network(py::module_& module) {
    py::class_<Network>(module, "Network")
        .def(py::init([](const std::vector<Index>& widths,
                         const std::vector<std::vector<std::pair<std::string, double>>>& names,
                         const std::vector<bool>& biases, const std::string& parametrization) {
                 require(widths.size() >= 2, "widths: expected at least two");
                 require(names.size() + 1 == widths.size(), "activations: expected one list per layer");
                 require(biases.size() + 1 == widths.size(), "biases: expected one per layer");
                 std::vector<std::vector<Activation>> activations;
                 for (std::size_t l = 0; l < names.size(); ++l) {
                     require(widths[l] > 0 && widths[l + 1] > 0, "widths: expected positive numbers");
                     require(static_cast<Index>(names[l].size()) == widths[l + 1],
                             "activations: expected one per neuron");
                     activations.emplace_back();
                     for (const auto& [name, parameter] : names[l])
                         activations.back().push_back(activation_named(name, parameter));
                 }
                 return Network(widths, activations, biases, named(parametrizations, parametrization, "parametrization"));
             }),
             py::arg("widths"), py::arg("activations"), py::arg("biases"), py::arg("parametrization"))
        .def_property_readonly("num_parameters", &Network::num_parameters);
}

void bind_descent(py::module_& module) {
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

template <class T>
bool all_finite(const Array<T>& values) {
    const T* data = values.data();
    bool finite = true;
    for (py::ssize_t i = 0; i < values.size(); ++i) finite &= data[i] - data[i] == 0;  // NaN for inf and NaN
    return finite;
}

}  // namespace
}  // namespace hessorbit::bindings

void register_objective(pybind11::module_& module) {
    using namespace hessorbit::bindings;
    bind_network(module);
    bind_outputs<double>(module);
    bind_outputs<long double>(module);
    bind_objective<double>(module, "Objective");
    bind_objective<long double>(module, "ObjectiveLongDouble");
    bind_descent(module);
    module.def("all_finite", &all_finite<double>, py::arg("values").noconvert());
    module.def("all_finite", &all_finite<long double>, py::arg("values").noconvert());
}
