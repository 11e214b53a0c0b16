// The table of losses as Python sees it, and the derivatives of each.
#include "names.hpp"

namespace hessorbit::bindings {

namespace {

py::list loss_entries() {
    constexpr const char* targets[] = {"real", "unit_interval", "probabilities", "nonnegative"};
    py::list result;
    for (const LossDescription& description : loss_table) {
        py::dict entry;
        entry["name"] = description.name;
        entry["targets"] = targets[static_cast<int>(description.targets)];
        entry["shift_invariant"] = description.shift_invariant;
        entry["parameter"] = description.parameter.empty() ? py::object(py::none()) : py::str(description.parameter);
        entry["default"] = description.default_parameter;
        result.append(entry);
    }
    return result;
}

// r, the diagonal of M, and its root, of each output f (n) and target y (n) of a loss that is a sum over outputs.
template <class T>
py::tuple loss_derivatives(const std::string& name, double parameter, const Array<T>& f, const Array<T>& y) {
    require(f.ndim() == 1 && y.ndim() == 1 && y.size() == f.size(), "f and y: expected shape (n,)");
    const LossDescription& description = loss_named(name);
    require(description.curvature != CurvatureForm::full, "loss: expected a sum over outputs");
    Array<T> residual(f.size()), curvature(f.size()), root(f.size());
    losses::with_formula({description.kind, parameter}, [&]<class Formula>(const Formula& formula) {
        if constexpr (!losses::couples<Formula>) {
            for (py::ssize_t i = 0; i < f.size(); ++i) {
                const auto terms = formula.terms(f.data()[i], y.data()[i]);
                residual.mutable_data()[i] = terms.residual;
                curvature.mutable_data()[i] = terms.curvature;
                root.mutable_data()[i] = formula.root(f.data()[i], y.data()[i]);
            }
        }
    });
    return py::make_tuple(residual, curvature, root);
}

template <class T>
void bind_loss_derivatives(py::module_& module) {
    module.def("loss_derivatives", &loss_derivatives<T>, py::arg("name"), py::arg("parameter"),
               py::arg("f").noconvert(), py::arg("y").noconvert());
}

}  // namespace

void register_loss_table(py::module_& module) {
    module.def("loss_table", &loss_entries);
    bind_loss_derivatives<double>(module);
    bind_loss_derivatives<long double>(module);
}

}  // namespace hessorbit::bindings
