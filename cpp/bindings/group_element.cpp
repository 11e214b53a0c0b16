// GroupElement for Python: it acts on float64 and on long double.
#include "classes.hpp"

#include <hessorbit/orbit.hpp>

#include <tuple>

namespace hessorbit::bindings {

namespace {

using Extended = long double;
using Indices = std::vector<Index>;

// source, incoming, outgoing, constant, shift (d each); mixed (m); matrix, inverse (m, m)
using LayerTuple = std::tuple<Indices, Array<Extended>, Array<Extended>, Array<Extended>, Array<Extended>, Indices,
                              Array<Extended>, Array<Extended>>;

template <class T>
std::vector<T> vector_of(const Array<Extended>& array, Index size) {
    require(array.size() == size, "layers: expected vectors with an entry for each neuron, and square matrices");
    return {array.data(), array.data() + size};
}

template <class T>
Matrix<T> matrix_of(const Array<Extended>& array, Index size) {
    const std::vector<T> entries = vector_of<T>(array, size * size);
    return Eigen::Map<const Matrix<T>>(entries.data(), size, size);
}

template <class T>
std::vector<LayerAction<T>> actions_of(const Network& network, const std::vector<LayerTuple>& layers) {
    if (static_cast<Index>(layers.size()) != network.depth() - 1)
        throw py::value_error("layers: expected one for each hidden layer");
    std::vector<LayerAction<T>> actions;
    for (const auto& [source, incoming, outgoing, constant, shift, mixed, matrix, inverse] : layers) {
        const Index width = network.layer(static_cast<Index>(actions.size())).width;
        const Index m = static_cast<Index>(mixed.size());
        actions.push_back({source, vector_of<T>(incoming, width), vector_of<T>(outgoing, width),
                           vector_of<T>(constant, width), vector_of<T>(shift, width), mixed, matrix_of<T>(matrix, m),
                           matrix_of<T>(inverse, m)});
    }
    return actions;
}

class PyGroupElement {
public:
    PyGroupElement(const Network& network, const std::vector<LayerTuple>& layers)
        : double_(network, actions_of<double>(network, layers)),
          extended_(network, actions_of<Extended>(network, layers)) {}

    template <class T>
    Array<T> act(const Array<T>& theta) const {
        return on_vectors(theta, [this](T* vector) { element<T>().act(vector); });
    }

    template <class T>
    Array<T> transport_gradient(const Array<T>& gradient) const {
        return on_vectors(gradient, [this](T* vector) { element<T>().transport_gradient(vector); });
    }

    // hessian (…, P, P)
    template <class T>
    Array<T> transport_hessian(const Array<T>& hessian) const {
        const py::ssize_t p = double_.num_parameters();
        if (hessian.ndim() < 2 || hessian.shape(hessian.ndim() - 1) != p || hessian.shape(hessian.ndim() - 2) != p)
            throw py::value_error("hessian: expected shape (..., P, P) with P = " + std::to_string(p));
        Array<T> result(Shape(hessian.shape(), hessian.shape() + hessian.ndim()));
        const T* in = hessian.data();
        T* out = result.mutable_data();
        const py::ssize_t count = hessian.size() / (p * p);
        const LockReleased released;
        for (py::ssize_t b = 0; b < count; ++b) element<T>().transport_hessian(in + b * p * p, out + b * p * p);
        return result;
    }

private:
    template <class T>
    const GroupElement<T>& element() const {
        if constexpr (std::is_same_v<T, double>)
            return double_;
        else
            return extended_;
    }

    template <class T, class Act>
    Array<T> on_vectors(const Array<T>& vectors, Act act) const {
        const Index p = double_.num_parameters();
        const Batch<T> batch(vectors, p);
        Array<T> result = batch.result({p});
        T* data = result.mutable_data();
        const LockReleased released;
        std::copy(batch.data, batch.data + batch.count * p, data);
        for (Index b = 0; b < batch.count; ++b) act(data + b * p);
        return result;
    }

    GroupElement<double> double_;
    GroupElement<Extended> extended_;
};

template <class T>
void bind_methods(py::class_<PyGroupElement>& element) {
    element.def("act", &PyGroupElement::act<T>, py::arg("theta").noconvert())
        .def("transport_gradient", &PyGroupElement::transport_gradient<T>, py::arg("gradient").noconvert())
        .def("transport_hessian", &PyGroupElement::transport_hessian<T>, py::arg("hessian").noconvert());
}

}  // namespace

void register_group_element(py::module_& module) {
    py::class_<PyGroupElement> element(module, "GroupElement", py::is_final());
    element.def(py::init<const Network&, const std::vector<LayerTuple>&>(), py::arg("network"), py::arg("layers"));
    bind_methods<double>(element);
    bind_methods<Extended>(element);
    never_empty(element);
}

}  // namespace hessorbit::bindings
