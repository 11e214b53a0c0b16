// The objective and the network's outputs for Python, for one scalar.
#pragma once

#include "bound_objective.hpp"
#include "classes.hpp"

#include <memory>

namespace hessorbit::bindings {

template <class T>
std::unique_ptr<BoundObjective<T>> make_objective(const Network& network, const Array<T>& x, const Array<T>& y,
                                                  const Array<T>& weight, const std::string& loss,
                                                  double parameter, T l2, int threads) {
    require(x.ndim() == 2 && x.shape(0) > 0 && x.shape(1) == network.inputs(), "x: expected shape (N, inputs), N > 0");
    require(y.ndim() == 2 && y.shape(0) == x.shape(0) && y.shape(1) == network.outputs(), "y: expected shape (N, K)");
    require(weight.ndim() == 1 && weight.shape(0) == x.shape(0), "weight: expected shape (N,)");
    const Loss described{loss_named(loss).kind, parameter};
    Data<T> data = make_data<T>(network, x.shape(0), x.data(), y.data(), weight.data());
    return bound<T>(network, described, l2, std::move(data), threads);
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
            const LockReleased released;
            call(self.core, batch.data, batch.count, self.team(), out);
        }
        return scalar_or_array(result);
    };
}

template <class T>
void bind_objective(py::module_& module, const char* name) {
    using Core = decltype(BoundObjective<T>::core);
    const auto theta = py::arg("theta").noconvert();
    const auto scalar = [](const Core&) { return Shape{}; };
    const auto vector = [](const Core& core) { return Shape{core.num_parameters()}; };
    const auto square = [](const Core& core) { return Shape{core.num_parameters(), core.num_parameters()}; };
    const auto outputs = [](const Core& core) { return Shape{core.samples(), core.network().outputs()}; };
    const auto residual = [](const Core& core) { return Shape{core.samples() * core.network().outputs()}; };
    const auto jacobian = [](const Core& core) {
        return Shape{core.samples() * core.network().outputs(), core.num_parameters()};
    };
    const auto factor = [](const Core& core) { return Shape{core.factor_rows(), core.num_parameters()}; };

    // One array per θ, of the shape of some parameters, positions in θ that are named once; none stand for all.
    const auto of_parameters = [](BoundObjective<T>& self, const Array<T>& at, const std::vector<Index>& parameters,
                                  auto shape_of, auto call) {
        const Index p = self.core.num_parameters();
        std::vector<bool> seen(p);
        for (const Index index : parameters) {
            require(index >= 0 && index < p && !seen[index], "parameters: expected different ones from 0 to P - 1");
            seen[index] = true;
        }
        const Index n = parameters.empty() ? p : std::ssize(parameters);
        return method<T>([&](const Core& core) { return shape_of(core, n); }, call)(self, at);
    };

    py::class_<BoundObjective<T>> type(module, name, py::is_final());
    type.def(py::init(&make_objective<T>), py::arg("network"), py::arg("x").noconvert(), py::arg("y").noconvert(),
             py::arg("weight").noconvert(), py::arg("loss"), py::arg("parameter"), py::arg("l2"), py::arg("threads"))
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
        .def("hessian_block",
             [=](BoundObjective<T>& self, const Array<T>& at, const std::vector<Index>& parameters, bool gauss_newton) {
                 require(!parameters.empty(), "parameters: expected at least one");
                 const auto block = [=, &parameters](Core& core, const T* theta, Index batch, int threads, T* out) {
                     core.hessian_block(theta, batch, parameters, threads, gauss_newton, out);
                 };
                 return of_parameters(self, at, parameters, [](const Core&, Index n) { return Shape{n, n}; }, block);
             }, theta, py::arg("parameters"), py::arg("gauss_newton"))
        .def("neuron_blocks",
             [](BoundObjective<T>& self, const Array<T>& at, bool gauss_newton) {
                 const auto blocks = [](const Core& core) { return Shape{neuron_blocks_size(core.network())}; };
                 return method<T>(blocks, [=](Core& core, const T* theta, Index batch, int threads, T* out) {
                     core.neuron_blocks(theta, batch, threads, gauss_newton, out);
                 })(self, at);
             }, theta, py::arg("gauss_newton"))
        .def("sample_gradients",
             [=](BoundObjective<T>& self, const Array<T>& at, const std::vector<Index>& parameters) {
                 return of_parameters(
                     self, at, parameters, [](const Core& core, Index n) { return Shape{core.samples(), n}; },
                     [&](Core& core, const T* theta, Index batch, int threads, T* out) {
                         core.sample_gradients(theta, batch, parameters, threads, out);
                     });
             }, theta, py::arg("parameters"))
        .def("sample_hessians",
             [=](BoundObjective<T>& self, const Array<T>& at, const std::vector<Index>& parameters) {
                 require(!parameters.empty(), "parameters: expected at least one");
                 return of_parameters(
                     self, at, parameters, [](const Core& core, Index n) { return Shape{core.samples(), n, n}; },
                     [&](Core& core, const T* theta, Index batch, int threads, T* out) {
                         core.sample_hessians(theta, batch, parameters, threads, out);
                     });
             }, theta, py::arg("parameters"))
        .def("empirical_fisher",
             [=](BoundObjective<T>& self, const Array<T>& at, const std::vector<Index>& parameters) {
                 return of_parameters(
                     self, at, parameters, [](const Core&, Index n) { return Shape{n, n}; },
                     [&](Core& core, const T* theta, Index batch, int threads, T* out) {
                         core.empirical_fisher(theta, batch, parameters, threads, out);
                     });
             }, theta, py::arg("parameters"))
        .def("gauss_newton_factor", method<T>(factor, [](Core& core, const T* at, Index batch, int threads, T* out) {
                 core.gauss_newton_factor(at, batch, threads, out);
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
                     const LockReleased released;
                     self.core.value_and_gradient(batch.data, batch.count, self.team(), loss_out, gradient_out);
                 }
                 return py::make_tuple(scalar_or_array(loss), std::move(gradient));
             }, theta)
        .def("hvp",
             [](BoundObjective<T>& self, const Array<T>& at, const Array<T>& v) {
                 const Index p = self.core.num_parameters();
                 const Batch<T> batch(at, p);
                 const bool shared = v.ndim() == 2;
                 require((shared || (v.ndim() == 3 && !batch.alone && v.shape(0) == batch.count)) &&
                             v.shape(v.ndim() - 1) == p,
                         "v: expected shape (m, P), or (B, m, P) for theta (B, P)");
                 const Index count = v.shape(v.ndim() - 2);
                 Array<T> product = batch.result({count, p});
                 T* out = product.mutable_data();
                 const T* directions = v.data();
                 {
                     const LockReleased released;
                     self.core.product(batch.data, batch.count, directions, count, shared, self.team(), out);
                 }
                 return product;
             }, theta, py::arg("v").noconvert());
    never_empty(type);
}

template <class T>
void bind_outputs(py::module_& module) {
    module.def(
        "outputs",
        [](const Network& network, const Array<T>& theta, const Array<T>& x, int threads) {
            require(x.ndim() == 2 && x.shape(1) == network.inputs(), "x: expected shape (N, inputs)");
            thread_count(threads);
            const Batch<T> batch(theta, network.num_parameters());
            Array<T> result = batch.result({x.shape(0), static_cast<py::ssize_t>(network.outputs())});
            T* out = result.mutable_data();
            const T* samples = x.data();
            const Index count = x.shape(0);
            if (count == 0) return result;
            {
                const LockReleased released;
                Data<T> data = make_data<T>(network, count, samples, nullptr, nullptr);
                const auto objective = bound<T>(network, Loss{}, T(0), std::move(data), threads);
                objective->core.outputs(batch.data, batch.count, objective->team(), out);
            }
            return result;
        },
        py::arg("network"), py::arg("theta").noconvert(), py::arg("x").noconvert(), py::arg("threads"));
}

}  // namespace hessorbit::bindings
