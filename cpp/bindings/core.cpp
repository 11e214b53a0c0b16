// `_core_<level>`: what is hot, in float64, for one instruction level.
#include "bindings.hpp"
#include "interruption.hpp"

#include <hessorbit/kernel/team.hpp>

namespace {

namespace py = pybind11;

py::dict config() {
    py::dict result;
    result["version"] = HESSORBIT_VERSION;
    result["level"] = HESSORBIT_LEVEL;
#if defined(__clang__)
    result["compiler"] = "clang " __clang_version__;
#elif defined(__GNUC__)
    result["compiler"] = "gcc " __VERSION__;
#else
    result["compiler"] = "unknown";
#endif
    result["eigen"] = std::to_string(EIGEN_WORLD_VERSION) + "." + std::to_string(EIGEN_MAJOR_VERSION) + "." +
                      std::to_string(EIGEN_MINOR_VERSION);
#if defined(_OPENMP)
    result["openmp"] = _OPENMP;
#else
    result["openmp"] = py::none();
#endif
    result["threads"] = hessorbit::max_threads();
    return result;
}

}  // namespace

PYBIND11_MODULE(HESSORBIT_MODULE, module, py::mod_gil_not_used()) {
    using namespace hessorbit::bindings;
    module.doc() = "What is hot, in float64, compiled for one instruction level.";
    py::module_::import("hessorbit._common");  // knows the type Network
    module.def("config", &config);
    raise_on_interruption();
    register_activation_float64(module);
    register_objective_float64(module);
    register_descent(module);
    register_trust_region(module);
    register_ldlt(module);
    register_eigenvalues(module);
}
