// What this CPU can run. Compiled for any CPU of the architecture, so that it can be imported before a level is chosen.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>
#include <vector>

namespace {

// Levels of the CPU, slowest first; "base" runs anywhere.
std::vector<std::string> cpu_levels() {
    std::vector<std::string> levels{"base"};
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("x86-64-v2")) levels.push_back("v2");
    if (__builtin_cpu_supports("x86-64-v3")) levels.push_back("v3");
    if (__builtin_cpu_supports("x86-64-v4")) levels.push_back("v4");
#endif
    return levels;
}

}  // namespace

PYBIND11_MODULE(_cpu, m, pybind11::mod_gil_not_used()) {
    m.doc() = "Instruction levels: those of this CPU, and those hessorbit was built for.";
    m.attr("__version__") = HESSORBIT_VERSION;
    m.attr("cpu_levels") = pybind11::tuple(pybind11::cast(cpu_levels()));
    m.attr("built_levels") = pybind11::tuple(pybind11::cast(std::vector<std::string>{HESSORBIT_LEVELS}));
}
