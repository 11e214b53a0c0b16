// What the bindings share: arrays in, arrays out. Arguments arrive checked by Python (dtype, shape, contiguity); casts
// here refuse what does not fit instead of converting.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <hessorbit/objective.hpp>

#include <optional>
#include <string>
#include <vector>

// One for each area; module.cpp calls them.
void register_activation(pybind11::module_& module);
void register_objective(pybind11::module_& module);
void register_orbit(pybind11::module_& module);
void register_minima(pybind11::module_& module);

namespace hessorbit::bindings {

namespace py = pybind11;

template <class T>
using Array = py::array_t<T, py::array::c_style>;

using Shape = std::vector<py::ssize_t>;

// θ of shape (P,) or (B, P); results have `shape` for each θ, with a leading B in the second case.
template <class T>
struct Batch {
    const T* data;
    Index count;
    bool alone;

    Batch(const Array<T>& theta, Index parameters)
        : data(theta.data()), count(theta.ndim() == 1 ? 1 : theta.shape(0)), alone(theta.ndim() == 1) {
        if (theta.ndim() < 1 || theta.ndim() > 2 || theta.shape(theta.ndim() - 1) != parameters)
            throw py::value_error("theta: expected shape (P,) or (B, P) with P = " + std::to_string(parameters));
    }

    Array<T> result(Shape shape) const {
        if (!alone) shape.insert(shape.begin(), count);
        return Array<T>(shape);
    }
};

}  // namespace hessorbit::bindings
